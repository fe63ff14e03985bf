"""The YAML as the rules compare it with the host: owners resolved, each part with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from reconcile.config.ignore_rule import DOCTOR
from reconcile.filesystem.code.code_scope import CodeScope
from reconcile.system.accounts import Account
from reconcile.types import LocationRole

if TYPE_CHECKING:
    from reconcile.config.owner import ResolvedOwner
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
