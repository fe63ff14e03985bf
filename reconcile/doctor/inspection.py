"""What rules look at: the servers that were asked about, on a machine that is read once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from posixpath import join, normpath
from typing import TYPE_CHECKING

from reconcile.doctor.config_view import Declaration, DeclaredApp
from reconcile.doctor.host_readings import HostReadings
from reconcile.doctor.location_mapping import LocationMapper, LocationMapping, UnresolvedLocation
from reconcile.doctor.logs import LogLine
from reconcile.doctor.request_builder import RequestBuilder
from reconcile.doctor.units import UnitView
from reconcile.doctor.upstream import ProxyLocation, local_port, proxy_locations, socket_path
from reconcile.doctor.variable_roots import RootResolver
from reconcile.errors import ReconcileError
from reconcile.filesystem.inventory import Inventory
from reconcile.nginx.routing.location_match import Indeterminate
from reconcile.nginx.routing.request import PathKinds, Request
from reconcile.nginx.routing.route import Route
from reconcile.nginx.routing.router import Router
from reconcile.nginx.routing.servers import Server
from reconcile.nginx.running.discover import NginxInstallation
from reconcile.nginx.running.loaded_config import RunningNginx
from reconcile.nginx.running.worker_view import WithAssumedFiles, WorkerView
from reconcile.system.accounts import Account
from reconcile.system.membership import cwd_of, ids_of, unit_of
from reconcile.system.processes import children, title
from reconcile.system.sockets import connects, holders_at, listening_at

if TYPE_CHECKING:
    from reconcile.doctor.application.facts import AppFacts
    from reconcile.doctor.application.importing import Told
    from reconcile.filesystem.access_check import AccessWalk
    from reconcile.nginx.model.tree import ConfigTree
    from reconcile.nginx.running.config_test import NginxError
    from reconcile.system import Host


@dataclass(frozen=True)
class UpstreamApp:
    """A program behind nginx: its unit (or what stands for one), and the ids it runs with."""

    unit: UnitView
    account: Account
    servers: tuple[Server, ...]


class HostInspection:
    """What the rules look at. `only` are server names; empty: every server.

    Errors: each part raises ReconcileError or OSError where it cannot be read.
    """

    def __init__(
        self, host: Host, declared: Declaration = Declaration(), only: frozenset[str] = frozenset()
    ) -> None:
        self.host = host
        self.declared = declared
        self.server_names = only
        self.machine = HostReadings(host)
        self._told: dict[str, Told] = {}

    def restricted_to(self, declared: Declaration, only: frozenset[str]) -> HostInspection:
        """Other servers of the same machine: what was read of it is not read again."""
        other = HostInspection(self.host, declared, only)
        other.machine = self.machine
        return other

    @property
    def nginx(self) -> NginxInstallation:
        return self.machine.nginx

    @property
    def tree(self) -> ConfigTree:
        return self.nginx.tree

    @property
    def router(self) -> Router:
        return self.machine.router

    @property
    def running(self) -> RunningNginx | None:
        return self.machine.running

    @property
    def config_error(self) -> NginxError | None:
        """What `nginx -t` has against the configuration on the disk."""
        return self.machine.config_error

    @property
    def worker(self) -> Account:
        """Who reads the files."""
        return self.machine.worker

    @property
    def disk(self) -> WorkerView:
        return self.machine.disk

    @cached_property
    def requests(self) -> RequestBuilder:
        return RequestBuilder(self.router.servers)

    def route(
        self,
        server: Server,
        uri: str,
        files: PathKinds | None = None,
        host: str = "",
        *,
        prefers_tls: bool = False,
    ) -> Route | None:
        """How `server` answers a visitor; None where others have all of its names.

        Errors: Indeterminate where that cannot be told: unknown is never fine.
        """
        request = self.requests.request(server, uri, host, prefers_tls=prefers_tls)
        return self.route_request(request, files) if request else None

    def route_request(self, request: Request, files: PathKinds | None = None) -> Route:
        """How that request is answered. Errors: Indeterminate where that cannot be told."""
        route = self.router.route(request, files or self.disk)
        if route.answer.kind == "unknown":
            raise Indeterminate(f"{request.uri}: {route.answer.reason}")
        return route

    def disk_with(self, path: str) -> WithAssumedFiles:
        """The disk as if that file were there."""
        return WithAssumedFiles(self.disk, {normpath(path)})

    @cached_property
    def servers(self) -> tuple[Server, ...]:
        """The servers that were asked about."""
        every = self.router.servers.servers
        return tuple(s for s in every if not self.server_names or self.server_names & set(s.names))

    @cached_property
    def mappings(self) -> tuple[LocationMapping, ...]:
        """Every location that stands for a folder; one for a single file is no matter of ours."""
        every = (one for one in self._located if isinstance(one, LocationMapping))
        return tuple(one for one in every if one.prefix.endswith("/") or not self._is_file(one))

    @property
    def unresolved(self) -> tuple[UnresolvedLocation, ...]:
        """Locations whose folder is not known."""
        return tuple(one for one in self._located if isinstance(one, UnresolvedLocation))

    @cached_property
    def _located(self) -> tuple[LocationMapping | UnresolvedLocation, ...]:
        variables = RootResolver(self.router, self.requests, self.host.files)
        prefix = self.nginx.build.prefix.rstrip("/")
        return tuple(LocationMapper(self.declared, variables, prefix).map(self.servers))

    def _is_file(self, mapping: LocationMapping) -> bool:
        found = self.host.files.stat(mapping.path, follow=True)
        return found is not None and found.kind == "file"

    def mappings_of(self, *roles: str) -> tuple[LocationMapping, ...]:
        return tuple(one for one in self.mappings if one.role in roles)

    @cached_property
    def proxy_locations(self) -> tuple[ProxyLocation, ...]:
        return tuple(proxy_locations(self.servers, self.tree))

    @property
    def units(self) -> dict[str, UnitView]:
        return self.machine.units

    @cached_property
    def apps(self) -> tuple[UpstreamApp, ...]:
        """Every program of this machine that nginx passes requests to."""
        found: dict[str, UpstreamApp] = {}
        for proxy in self.proxy_locations:
            for target in proxy.targets:
                for app in self._apps_at(proxy.server, target):
                    known = found.get(app.unit.name, app)
                    servers = dict.fromkeys((*known.servers, proxy.server))
                    found[app.unit.name] = replace(known, servers=tuple(servers))
        return tuple(found.values())

    def _apps_at(self, server: Server, target: str) -> Iterator[UpstreamApp]:
        pids = [pid for pid in self.listeners(target) if pid != 1]
        said = self.declared_app(server)
        name = said.service if said and said.service in self.units else self._unit_at(target, pids)
        if name and name in self.units:
            unit = self.units[name]
            yield UpstreamApp(unit, self._account(unit, pids), (server,))
        elif pids:
            told = {"MainPID": str(pids[0]), "WorkingDirectory": cwd_of(pids[0])}
            unit = UnitView(f"{title(pids[0])[:40]} (pid {pids[0]})", told)
            yield UpstreamApp(unit, self._account(unit, pids), (server,))

    def apps_behind(self, server: Server) -> tuple[UpstreamApp, ...]:
        return tuple(app for app in self.apps if server in app.servers)

    def import_result(self, app: DeclaredApp | None) -> Told | None:
        """What the app of a site says of itself; None where the YAML does not say what to ask."""
        if app is None or app.code is None:
            return None
        if app.site not in self._told:
            from reconcile.doctor.application.importing import import_app

            self._told[app.site] = import_app(self, app, app.code)
        return self._told[app.site]

    def app_facts(self, server: Server) -> AppFacts | None:
        """The settings of the app behind a server, None where it could not be asked."""
        from reconcile.doctor.application.facts import AppFacts

        told = self.import_result(self.declared_app(server))
        return told.facts if told and isinstance(told.facts, AppFacts) else None

    def declared_app(self, server: Server) -> DeclaredApp | None:
        names = {name.lower() for name in server.names}
        for app in self.declared.apps:
            if names & {name.lower() for name in app.server_names}:
                return app
        return None

    def _unit_at(self, target: str, pids: Sequence[int]) -> str | None:
        """The service at an upstream: who listens there, else whose unit names it."""
        for pid in pids:
            if (name := unit_of(pid)) and name in self.units:
                return name
        address = socket_path(target) or target
        for name, unit in self.units.items():
            if name.endswith(".socket") and address in unit.said.get("Listen", ""):
                return next(iter(unit.words("Triggers")), None)
            if name.endswith(".service") and unit.binds(address):
                return name
        return None

    def listeners(self, target: str) -> tuple[int, ...]:
        """The processes that listen at an upstream of this machine, as far as we may see them."""
        if path := socket_path(target):
            return holders_at(path) or holders_at(self.real_path(path))
        from reconcile.system.ports import holders

        port = local_port(target)
        masters = [holder.pid for holder in holders(port) if holder.pid] if port else []
        return (*masters, *(pid for master in masters if master != 1 for pid in children(master)))

    def accepts_connections(self, target: str) -> bool:
        """Whether somebody takes connections at an upstream, be it from within a container."""
        if path := socket_path(target):
            return bool(listening_at(path)) or connects(path)
        return connects(("127.0.0.1", local_port(target)), ("::1", local_port(target)))

    def real_path(self, path: str) -> str:
        """`path` with the links on the way resolved, as far as that is safe."""
        files, done = self.host.files, "/"
        for name in path.strip("/").split("/"):
            step = join(done, name)
            found = files.stat(step)
            is_link = found is not None and found.kind == "symlink"
            done = normpath(join(done, files.readlink(step))) if is_link else step
        return done

    def _account(self, unit: UnitView, pids: Sequence[int]) -> Account:
        """Whom the app runs as: the ids of a process that listens, else those of its unit.

        The workers write the uploads; their master may still be root.
        """
        ids = [found for pid in (*pids, unit.main_pid) if pid and (found := ids_of(pid))]
        if ids:
            chosen = max(ids, key=lambda found: found[0] != 0)
            return Account(self.host.accounts.user_name(chosen[0]), *chosen)
        user = self.host.accounts.user(unit.user)
        gid = self.host.accounts.group(unit.group) if unit.group else user.gid
        more = frozenset(map(self.host.accounts.group, unit.words("SupplementaryGroups")))
        return Account(user.name, user.uid, gid, user.groups | more | {gid})

    def access(self, path: str, account: Account) -> AccessWalk:
        return self.machine.access(path, account)

    def inventory(self, folder: str) -> Inventory | None:
        """What lies below `folder`; None where there is no such folder."""
        return self.machine.inventory(folder)

    @property
    def error_lines(self) -> tuple[LogLine, ...]:
        return self.machine.error_lines

    def journal(self, unit: UnitView) -> tuple[str, ...]:
        return self.machine.journal(unit)


def server_names_of(
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
