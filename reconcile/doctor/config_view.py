"""What the YAML says of the places that the rules look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from reconcile.nginx.render.site_view import Role
from reconcile.system.accounts import Account

if TYPE_CHECKING:
    from reconcile.config.models.app import App
    from reconcile.config.models.sites import Site
    from reconcile.config.models.spec import Spec


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
    user: str
    dirs: int
    files: int

    def lets(self, account: Account, bits: int, *, folder: bool) -> bool:
        """Whether an account may do that once an apply has set owner and mode.

        Its groups are left out: who is let in by them alone is told that it is not certain.
        """
        mode = self.dirs if folder else self.files
        granted = mode >> 6 if account.name == self.user else mode
        return account.uid == 0 or granted & bits == bits

    def serves(self, name: str) -> bool:
        return name.lower() in (own.lower() for own in self.server_names)


@dataclass(frozen=True)
class DeclaredCode:
    """The code of an app: Flask's `module:app`, or Django's settings. "" as `python`: any."""

    framework: Literal["flask", "django"]
    directory: str
    name: str
    python: str
    place: str


@dataclass(frozen=True)
class DeclaredContainer:
    """A service of a compose file; `mounts`: prefix → directory inside the container."""

    compose: str
    service: str
    mounts: Mapping[str, str]
    place: str


@dataclass(frozen=True)
class DeclaredApp:
    """What the YAML says of the app of a site."""

    site: str
    server_names: tuple[str, ...]
    service: str | None
    user: str | None
    max_upload: int | None
    place: str
    code: DeclaredCode | None = None


@dataclass(frozen=True)
class Declaration:
    """The whole YAML, as far as rules compare with it."""

    locations: tuple[DeclaredLocation, ...] = ()
    apps: tuple[DeclaredApp, ...] = ()
    containers: tuple[DeclaredContainer, ...] = ()

    @property
    def sites(self) -> dict[str, tuple[str, ...]]:
        """Site → its names."""
        return {app.site: app.server_names for app in self.apps}


def declaration(spec: Spec) -> Declaration:
    """What `spec` says, as plain values."""
    return Declaration(
        tuple(one for name, site in spec.sites.items() for one in _locations(spec, name, site)),
        tuple(_app(spec, name, site) for name, site in spec.sites.items()),
        tuple(_containers(spec)),
    )


def _locations(spec: Spec, name: str, site: Site) -> Iterator[DeclaredLocation]:
    for prefix, location in site.locations.items():
        owner = location.owner_among(spec.all_owners())
        yield DeclaredLocation(
            site=name,
            server_names=tuple(map(str, site.server_names)),
            prefix=prefix,
            role=location.role,
            dir=location.dir,
            source=location.source,
            prune=location.prune,
            place=str(spec.place("sites", name, "locations", prefix)),
            user=owner.user or "",
            dirs=owner.dirs or 0,
            files=owner.files or 0,
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
        code=_code(spec, name, app) if app else None,
    )


def _code(spec: Spec, name: str, app: App) -> DeclaredCode | None:
    python = app.gunicorn.python if app.gunicorn else ""
    at = ("sites", name, "app")
    if app.flask:
        directory, module = app.flask.directory, app.flask.module
        return DeclaredCode("flask", directory, module, python, str(spec.place(*at, "flask")))
    if app.django:
        directory, settings = app.django.directory, app.django.settings
        return DeclaredCode("django", directory, settings, python, str(spec.place(*at, "django")))
    return None


def _containers(spec: Spec) -> Iterator[DeclaredContainer]:
    for index, one in enumerate(spec.containers):
        place = str(spec.place("containers", index))
        yield DeclaredContainer(one.compose, one.service, dict(one.mounts), place)
