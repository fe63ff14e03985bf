"""The YAML as the rules compare it with the host: owners resolved, each part with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from reconcile.config.compile_services import code_scope as service_scope
from reconcile.config.ignore_rule import DOCTOR
from reconcile.config.site.code import code_scope
from reconcile.filesystem.code.code_scope import CodeScope
from reconcile.system.accounts import Account
from reconcile.types import LocationRole

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.owner import ResolvedOwner
    from reconcile.config.site.app import App
    from reconcile.config.site.site import Site
    from reconcile.nginx.routing.servers import Server


@dataclass(frozen=True)
class DeclaredLocation:
    """A location of a site, with the owner and the modes of its files."""

    site: str
    server_names: tuple[str, ...]
    prefix: str
    role: LocationRole
    dir: str
    source: str | None
    owner: ResolvedOwner
    place: str
    ports: frozenset[int]

    def lets(self, account: Account, bits: int, *, folder: bool) -> bool:
        """Whether `account` has these bits once an apply has set owner and mode.

        Its groups do not count: an apply does not change who is in them.
        """
        mode = self.owner.dirs if folder else self.owner.files
        granted = mode >> 6 if account.name == self.owner.user else mode
        return account.uid == 0 or granted & bits == bits

    def serves(self, name: str) -> bool:
        """Whether the site has this server name."""
        return name.lower() in (own.lower() for own in self.server_names)

    def is_of(self, server: Server) -> bool:
        """Whether the site has a name of this server, on one of its ports."""
        ports = {listen.address.port for listen in server.listens}
        return any(map(self.serves, server.names)) and bool(ports & {0, *self.ports})


@dataclass(frozen=True)
class DeclaredCode:
    """The code of an app: Flask's `module:app`, or Django's settings; `python` "": any."""

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
    """A site with its app."""

    site: str
    server_names: tuple[str, ...]
    service: str | None
    user: str | None
    max_upload: int | None
    place: str
    code: DeclaredCode | None = None


@dataclass(frozen=True)
class WatchedCode:
    """A unit that is restarted when the files of `scope` change; `site` "" for a service."""

    site: str
    unit: str
    scope: CodeScope
    place: str


@dataclass(frozen=True)
class DeclaredService:
    """A unit of `services`; a scheduled one is started by its timer."""

    unit: str
    is_scheduled: bool
    place: str


@dataclass(frozen=True)
class DeclaredExtra:
    """Directives that a site adds as they are; `key` is relative to the site."""

    site: str
    key: str
    text: str
    place: str

    def has_line(self, line: str) -> bool:
        """Whether it has this line, blanks around it aside."""
        return line.strip() in map(str.strip, self.text.splitlines())


@dataclass(frozen=True)
class DeclaredIgnore:
    """An entry of `ignore` for findings; `rule` and `subject` are patterns, subject "": any."""

    rule: str
    subject: str
    reason: str
    until: date | None
    place: str

    @property
    def ref(self) -> str:
        """The address as the YAML has it."""
        return ":".join(filter(None, (DOCTOR, self.rule, self.subject)))

    def is_expired(self, today: date) -> bool:
        """Whether its last day is over."""
        return self.until is not None and self.until < today


@dataclass(frozen=True)
class Declaration:
    """Everything that the YAML declares, as far as the rules need it."""

    locations: tuple[DeclaredLocation, ...] = ()
    apps: tuple[DeclaredApp, ...] = ()
    containers: tuple[DeclaredContainer, ...] = ()
    ignores: tuple[DeclaredIgnore, ...] = ()
    watched: tuple[WatchedCode, ...] = ()
    services: tuple[DeclaredService, ...] = ()
    extras: tuple[DeclaredExtra, ...] = ()

    @cached_property
    def locations_by_name(self) -> dict[str, list[int]]:
        """Server name, in lower case → the indexes of its locations."""
        found: dict[str, list[int]] = {}
        for number, location in enumerate(self.locations):
            for name in location.server_names:
                found.setdefault(name.lower(), []).append(number)
        return found

    @property
    def sites(self) -> dict[str, tuple[str, ...]]:
        """Site → its server names."""
        return {app.site: app.server_names for app in self.apps}

    def of_site(self, site: str) -> Declaration:
        """What it declares for one site alone."""
        locations = tuple(one for one in self.locations if one.site == site)
        prefixes = {one.prefix for one in locations}
        containers = (
            replace(one, mounts={at: path for at, path in one.mounts.items() if at in prefixes})
            for one in self.containers
        )
        return Declaration(
            locations,
            tuple(one for one in self.apps if one.site == site),
            tuple(one for one in containers if one.mounts),
            watched=tuple(one for one in self.watched if one.site == site),
        )

    def of_role(self, role: str) -> Declaration:
        """The same with the locations of one role alone; private files count as media."""
        is_static = role == "static"
        locations = (one for one in self.locations if (one.role == "static") == is_static)
        return replace(self, locations=tuple(locations))


def declaration(config: Config) -> Declaration:
    """The parts of `config` that the rules need, as plain values."""
    return Declaration(
        tuple(one for name, site in config.sites.items() for one in _locations(config, name, site)),
        tuple(_app(config, name, site) for name, site in config.sites.items()),
        tuple(
            DeclaredContainer(
                one.compose, one.service, one.mounts, str(config.position_of("containers", index))
            )
            for index, one in enumerate(config.containers)
        ),
        tuple(_ignores(config)),
        tuple(_watched(config)),
        tuple(
            DeclaredService(
                f"{name}.service",
                entry.schedule is not None,
                str(config.position_of("services", name)),
            )
            for name, entry in config.services.items()
        ),
        tuple(one for name, site in config.sites.items() for one in _extras(config, name, site)),
    )


def _extras(config: Config, name: str, site: Site) -> Iterator[DeclaredExtra]:
    """The innermost first: a line may occur in several."""
    texts: dict[tuple[str, ...], str] = {
        ("locations", key, "extra"): one.extra for key, one in site.all_locations.items()
    }
    texts |= {("extra",): site.extra, ("http_extra",): site.http_extra}
    for loc, text in texts.items():
        if text:
            place = str(config.position_of("sites", name, *loc))
            yield DeclaredExtra(name, ".".join(loc), text, place)


def _watched(config: Config) -> Iterator[WatchedCode]:
    for name, site in config.sites.items():
        unit, scope = site.app.unit_name(name) if site.app else None, code_scope(site)
        if unit and scope:
            place = str(config.position_of("sites", name, "app", "code"))
            yield WatchedCode(name, unit, scope, place)
    for name, entry in config.services.items():
        scope = service_scope(entry) if entry.schedule is None else None
        if scope:
            place = str(config.position_of("services", name, "code"))
            yield WatchedCode("", f"{name}.service", scope, place)


def _ignores(config: Config) -> Iterator[DeclaredIgnore]:
    for index, entry in enumerate(config.ignore):
        if entry.is_for_doctor:
            rule, _, subject = entry.ref.partition(":")[2].partition(":")
            place = str(config.position_of("ignore", index))
            yield DeclaredIgnore(rule, subject, entry.reason, entry.until, place)


def _locations(config: Config, name: str, site: Site) -> Iterator[DeclaredLocation]:
    for prefix, location in site.locations.items():
        yield DeclaredLocation(
            site=name,
            server_names=_server_names(site),
            prefix=prefix,
            role=location.role,
            dir=location.dir,
            source=location.source,
            owner=location.resolve_owner(config.all_owners()),
            place=str(config.position_of("sites", name, "locations", prefix)),
            ports=frozenset(listen.port for listen in site.listens),
        )


def _server_names(site: Site) -> tuple[str, ...]:
    """Its names as nginx has them: `_` stands for a server without any."""
    return (*site.server_names, *([""] if "_" in site.server_names else []))


def _app(config: Config, name: str, site: Site) -> DeclaredApp:
    app = site.app
    return DeclaredApp(
        site=name,
        server_names=_server_names(site),
        service=app.unit_name(name) if app else None,
        user=app.user if app else None,
        max_upload=site.max_upload,
        place=str(config.position_of("sites", name)),
        code=_declared_code(config, name, app) if app else None,
    )


def _declared_code(config: Config, name: str, app: App) -> DeclaredCode | None:
    python = app.gunicorn.python if app.gunicorn else ""
    at = ("sites", name, "app")
    if flask := app.flask:
        place = str(config.position_of(*at, "flask"))
        return DeclaredCode("flask", flask.directory, flask.module, python, place)
    if django := app.django:
        place = str(config.position_of(*at, "django"))
        return DeclaredCode("django", django.directory, django.settings, python, place)
    return None
