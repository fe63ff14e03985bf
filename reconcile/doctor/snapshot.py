"""One host, each part of it read once and only when a rule asks for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from posixpath import normpath
from typing import TYPE_CHECKING

from reconcile.doctor.declared import Declaration, DeclaredApp
from reconcile.doctor.logs import LogLine, read_error_logs, read_journal
from reconcile.doctor.mapping import Mapped, mappings
from reconcile.doctor.units import UnitView, read_units
from reconcile.doctor.upstream import Passed, local_port, passes, socket_path
from reconcile.errors import ReconcileError
from reconcile.host.accounts import Account
from reconcile.host.files.inventory import Inventory, inventory
from reconcile.host.membership import ids_of, unit_of
from reconcile.host.sockets import holders_of, listening_at
from reconcile.nginx.discover import Discovered, discover
from reconcile.nginx.disk import Assumed, WorkersDisk, worker_of
from reconcile.nginx.live import Running, running
from reconcile.nginx.routing import Router
from reconcile.nginx.servers import Server

if TYPE_CHECKING:
    from reconcile.host import Host
    from reconcile.host.files.access import Walk
    from reconcile.nginx.tree import ConfigTree

MOST_ITEMS = 50_000
"""Files looked at below one folder; of a larger one a part is examined, and a note says so."""


@dataclass(frozen=True)
class App:
    """A program behind nginx: its unit, and the ids it runs with."""

    unit: UnitView
    account: Account
    servers: tuple[Server, ...]


class Snapshot:
    """What the rules look at. `only` are server names; empty: every server.

    Errors: each part raises ReconcileError or OSError where it cannot be read.
    """

    def __init__(
        self, host: Host, declared: Declaration = Declaration(), only: frozenset[str] = frozenset()
    ) -> None:
        self.host = host
        self.declared = declared
        self.only = only
        self._walks: dict[tuple[str, int], Walk] = {}
        self._inventories: dict[str, Inventory | None] = {}
        self._journals: dict[str, tuple[str, ...]] = {}

    @cached_property
    def nginx(self) -> Discovered:
        return discover(self.host)

    @cached_property
    def tree(self) -> ConfigTree:
        return self.nginx.tree

    @cached_property
    def router(self) -> Router:
        return Router(self.tree, prefix=self.nginx.build.prefix)

    @cached_property
    def running(self) -> Running | None:
        return running(self.nginx)

    @cached_property
    def worker(self) -> Account:
        """Who reads the files."""
        return worker_of(self.nginx)

    @cached_property
    def disk(self) -> WorkersDisk:
        return WorkersDisk(self.host, self.worker)

    def disk_with(self, path: str) -> Assumed:
        """The disk as if that file were there."""
        return Assumed(self.disk, {normpath(path)})

    @cached_property
    def servers(self) -> tuple[Server, ...]:
        """The servers that were asked about."""
        every = self.router.servers.servers
        return tuple(s for s in every if not self.only or self.only & set(s.names))

    @cached_property
    def mapped(self) -> tuple[Mapped, ...]:
        return tuple(mappings(self.servers, self.declared))

    def of_role(self, *roles: str) -> tuple[Mapped, ...]:
        return tuple(one for one in self.mapped if one.role in roles)

    @cached_property
    def passed(self) -> tuple[Passed, ...]:
        return tuple(passes(self.servers, self.tree))

    @cached_property
    def units(self) -> dict[str, UnitView]:
        return read_units(self.host)

    @cached_property
    def apps(self) -> tuple[App, ...]:
        """Every program that nginx passes requests to, where its unit can be told."""
        served: dict[str, dict[int, Server]] = {}
        for passed in self.passed:
            for name in self._units_behind(passed):
                served.setdefault(name, {})[id(passed.server)] = passed.server
        return tuple(
            App(self.units[name], self.account_of(self.units[name]), tuple(servers.values()))
            for name, servers in served.items()
        )

    def apps_of(self, server: Server) -> tuple[App, ...]:
        return tuple(app for app in self.apps if server in app.servers)

    def declared_app(self, server: Server) -> DeclaredApp | None:
        names = {name.lower() for name in server.names}
        for app in self.declared.apps:
            if names & {name.lower() for name in app.server_names}:
                return app
        return None

    def _units_behind(self, passed: Passed) -> tuple[str, ...]:
        said = self.declared_app(passed.server)
        if said and said.service and said.service in self.units:
            return (said.service,)
        found = (self._unit_at(target) for target in passed.targets)
        return tuple(dict.fromkeys(name for name in found if name))

    def _unit_at(self, target: str) -> str:
        """The service at an upstream: who listens there, else whose unit names it."""
        for pid in self.holders(target):
            if (name := unit_of(pid)) and name in self.units:
                return name
        address = socket_path(target) or target
        for name, unit in self.units.items():
            if name.endswith(".socket") and address in unit.said.get("Listen", ""):
                return next(iter(unit.words("Triggers")), "")
            if name.endswith(".service") and address in unit.command:
                return name
        return ""

    def holders(self, target: str) -> tuple[int, ...]:
        """The processes that listen at an upstream of this machine."""
        if path := socket_path(target):
            return holders_of(listening_at(path))
        from reconcile.host.ports import holders

        port = local_port(target)
        return tuple(holder.pid for holder in holders(port) if holder.pid) if port else ()

    def account_of(self, unit: UnitView) -> Account:
        """Whom the unit runs as: its process's ids, else those that it is to have."""
        if unit.main_pid and (ids := ids_of(unit.main_pid)):
            return Account(self.host.accounts.user_name(ids[0]), *ids)
        user = self.host.accounts.user(unit.user)
        gid = self.host.accounts.group(unit.group) if unit.group else user.gid
        more = frozenset(map(self.host.accounts.group, unit.words("SupplementaryGroups")))
        return Account(user.name, user.uid, gid, user.groups | more | {gid})

    def walk(self, path: str, account: Account) -> Walk:
        key = (path, hash(account))
        if key not in self._walks:
            self._walks[key] = self.host.files.access(path, account)
        return self._walks[key]

    def inventory(self, folder: str) -> Inventory | None:
        """What lies below `folder`; None where there is no such folder."""
        if folder not in self._inventories:
            found = self.host.files.stat(folder, follow=True)
            there = found is not None and found.kind == "directory"
            self._inventories[folder] = inventory(folder, MOST_ITEMS) if there else None
        return self._inventories[folder]

    @cached_property
    def error_lines(self) -> tuple[LogLine, ...]:
        return read_error_logs(self.tree, self.nginx.layout.error_log)

    def journal(self, unit: str) -> tuple[str, ...]:
        if unit not in self._journals:
            self._journals[unit] = read_journal(self.host, unit)
        return self._journals[unit]


def asked_for(
    declared: Declaration, sites: Iterable[str], servers: Iterable[str]
) -> frozenset[str]:
    """The server names that `--site` means: of sites of the YAML, or server names themselves.

    Errors: ReconcileError where nothing is called so.
    """
    known, chosen = frozenset(servers), set[str]()
    for site in sites:
        names = declared.sites.get(site, (site,))
        if site not in declared.sites and site not in known:
            raise ReconcileError(
                what=f"There is no site {site}",
                why="neither the YAML nor a server_name of nginx has it",
                fix=f"Known are: {', '.join(sorted({*declared.sites, *known} - {''}))}",
            )
        chosen.update(names)
    return frozenset(chosen)
