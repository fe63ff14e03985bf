"""What the YAML says of the places that the rules look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconcile.nginx.site import Role

if TYPE_CHECKING:
    from reconcile.spec.models.sites import Site
    from reconcile.spec.models.spec import Spec


@dataclass(frozen=True)
class DeclaredLocation:
    """One location of one site, and who the app behind it is."""

    site: str
    server_names: tuple[str, ...]
    prefix: str
    role: Role
    dir: str
    source: str | None
    prune: bool
    place: str

    def serves(self, name: str) -> bool:
        return name.lower() in (own.lower() for own in self.server_names)


@dataclass(frozen=True)
class DeclaredApp:
    """What the YAML says of the app of a site."""

    site: str
    server_names: tuple[str, ...]
    service: str | None
    user: str | None
    max_upload: int | None
    place: str


@dataclass(frozen=True)
class Declaration:
    """The whole YAML, as far as rules compare with it."""

    locations: tuple[DeclaredLocation, ...] = ()
    apps: tuple[DeclaredApp, ...] = ()

    @property
    def sites(self) -> dict[str, tuple[str, ...]]:
        """Site → its names."""
        return {app.site: app.server_names for app in self.apps}


def declaration(spec: Spec) -> Declaration:
    """What `spec` says, as plain values."""
    return Declaration(
        tuple(one for name, site in spec.sites.items() for one in _locations(spec, name, site)),
        tuple(_app(spec, name, site) for name, site in spec.sites.items()),
    )


def _locations(spec: Spec, name: str, site: Site) -> Iterator[DeclaredLocation]:
    for prefix, location in site.locations.items():
        yield DeclaredLocation(
            site=name,
            server_names=tuple(map(str, site.server_names)),
            prefix=prefix,
            role=location.role,
            dir=location.dir,
            source=location.source,
            prune=location.prune,
            place=str(spec.place("sites", name, "locations", prefix)),
        )


def _app(spec: Spec, name: str, site: Site) -> DeclaredApp:
    app = site.app
    service = app.service if app else None
    if app and app.gunicorn and service is None:
        service = f"gunicorn-{name}.service"
    return DeclaredApp(
        site=name,
        server_names=tuple(map(str, site.server_names)),
        service=service,
        user=app.user if app else None,
        max_upload=site.max_upload,
        place=str(spec.place("sites", name)),
    )
