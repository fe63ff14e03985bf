"""What the YAML says of the places that the rules look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from reconcile.system.accounts import Account
from reconcile.types import LocationRole

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.site.app import App
    from reconcile.config.site.site import Site


@dataclass(frozen=True)
class DeclaredLocation:
    """One location of one site, and who the app behind it is."""

    site: str
    server_names: tuple[str, ...]
    prefix: str
    role: LocationRole
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


def declaration(config: Config) -> Declaration:
    """What `config` says, as plain values."""
    return Declaration(
        tuple(one for name, site in config.sites.items() for one in _locations(config, name, site)),
        tuple(_app(config, name, site) for name, site in config.sites.items()),
        tuple(_containers(config)),
    )


def _locations(config: Config, name: str, site: Site) -> Iterator[DeclaredLocation]:
    for prefix, location in site.locations.items():
        owner = location.resolve_owner(config.all_owners())
        yield DeclaredLocation(
            site=name,
            server_names=tuple(map(str, site.server_names)),
            prefix=prefix,
            role=location.role,
            dir=location.dir,
            source=location.source,
            prune=location.prune,
            place=str(config.position_of("sites", name, "locations", prefix)),
            user=owner.user,
            dirs=owner.dirs,
            files=owner.files,
        )


def _app(config: Config, name: str, site: Site) -> DeclaredApp:
    app = site.app
    return DeclaredApp(
        site=name,
        server_names=tuple(map(str, site.server_names)),
        service=app.unit_name(name) if app else None,
        user=app.user if app else None,
        max_upload=site.max_upload,
        place=str(config.position_of("sites", name)),
        code=_code(config, name, app) if app else None,
    )


def _code(config: Config, name: str, app: App) -> DeclaredCode | None:
    python = app.gunicorn.python if app.gunicorn else ""
    at = ("sites", name, "app")
    if app.flask:
        directory, module = app.flask.directory, app.flask.module
        place = str(config.position_of(*at, "flask"))
        return DeclaredCode("flask", directory, module, python, place)
    if app.django:
        directory, settings = app.django.directory, app.django.settings
        place = str(config.position_of(*at, "django"))
        return DeclaredCode("django", directory, settings, python, place)
    return None


def _containers(config: Config) -> Iterator[DeclaredContainer]:
    for index, one in enumerate(config.containers):
        place = str(config.position_of("containers", index))
        yield DeclaredContainer(one.compose, one.service, dict(one.mounts), place)
