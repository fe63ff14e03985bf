"""What the rules read: the servers in question, on a host that is read on demand and once."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from reconcile.doctor.app_introspection.app_facts import AppFacts
from reconcile.doctor.app_introspection.import_app import import_app
from reconcile.doctor.config_view import Declaration, DeclaredApp
from reconcile.doctor.host_readings import HostReadings
from reconcile.doctor.location_mapping import LocationMapper, LocationMapping, UnresolvedLocation
from reconcile.doctor.upstream import ProxyLocation, proxy_locations
from reconcile.doctor.upstream_apps import UpstreamApp, find_apps
from reconcile.doctor.variable_roots import RootResolver
from reconcile.errors import ReconcileError
from reconcile.nginx.routing.servers import Server

if TYPE_CHECKING:
    from reconcile.doctor.app_introspection.import_app import ImportResult
    from reconcile.doctor.location_mapping import Role
    from reconcile.doctor.units import UnitView
    from reconcile.system import Host


class HostInspection:
    """A host, as far as some of its servers are concerned.

    `server_names`: those servers; empty: all. `role`: with locations of that role alone. `nginx`,
    `units`, `journal`, `listeners`, `access`, `inventory`, `real_path` and `is_same` are those of
    `HostReadings`.

    Errors: each member raises ReconcileError or OSError where it cannot be read.
    """

    def __init__(
        self,
        host: Host,
        declared: Declaration = Declaration(),
        server_names: frozenset[str] = frozenset(),
        *,
        role: Role | None = None,
        readings: HostReadings | None = None,
    ) -> None:
        self.host = host
        self.server_names = server_names
        self._whole_declaration = declared
        self._role = role
        self._readings = readings = readings or HostReadings(host)
        self.nginx = readings.nginx
        self.journal, self.listeners = readings.journal, readings.listeners
        self.access, self.inventory = readings.access, readings.inventory
        self.real_path, self.is_same = readings.real_path, readings.is_same

    def restricted_to(
        self, declared: Declaration, server_names: frozenset[str], role: Role | None = None
    ) -> HostInspection:
        """Other servers of the same host; what was read already is not read again."""
        return HostInspection(self.host, declared, server_names, role=role, readings=self._readings)

    @cached_property
    def declared(self) -> Declaration:
        """What the YAML declares."""
        whole = self._whole_declaration
        return whole.of_role(self._role) if self._role else whole

    @property
    def units(self) -> dict[str, UnitView]:
        """Every service and socket of the host, by name."""
        return self._readings.units

    @cached_property
    def servers(self) -> tuple[Server, ...]:
        """The servers in question."""
        every = self.nginx.router.servers.servers
        return tuple(s for s in every if not self.server_names or self.server_names & {*s.names})

    @cached_property
    def mappings(self) -> tuple[LocationMapping, ...]:
        """Every location that maps to a folder; one that maps to a single file is left out."""
        every = (one for one in self._located if isinstance(one, LocationMapping))
        return tuple(
            one
            for one in every
            if self._role in (None, one.role)
            and (one.prefix.endswith("/") or not self._is_file(one))
        )

    def mappings_of(self, *roles: str) -> tuple[LocationMapping, ...]:
        """The mappings that have one of these roles."""
        return tuple(one for one in self.mappings if one.role in roles)

    @property
    def unresolved(self) -> tuple[UnresolvedLocation, ...]:
        """Locations whose folder is not known."""
        return tuple(one for one in self._located if isinstance(one, UnresolvedLocation))

    @cached_property
    def _located(self) -> tuple[LocationMapping | UnresolvedLocation, ...]:
        nginx = self.nginx
        resolver = RootResolver(nginx.router, nginx.requests, self.host.files)
        prefix = nginx.installation.build.prefix.rstrip("/")
        mapper = LocationMapper(self._whole_declaration, resolver, prefix)
        return tuple(mapper.map(self.servers))

    def _is_file(self, mapping: LocationMapping) -> bool:
        found = self.host.files.stat(mapping.path, follow=True)
        return found is not None and found.kind == "file"

    @cached_property
    def proxy_locations(self) -> tuple[ProxyLocation, ...]:
        """Every location that passes requests to an app."""
        return tuple(proxy_locations(self.servers, self.nginx.tree))

    @cached_property
    def apps(self) -> tuple[UpstreamApp, ...]:
        """Every program of this machine that nginx passes requests to."""
        return find_apps(self)

    def apps_behind(self, server: Server) -> tuple[UpstreamApp, ...]:
        """The apps that `server` passes requests to."""
        return tuple(app for app in self.apps if server in app.servers)

    def declared_app(self, server: Server) -> DeclaredApp | None:
        """The app that the YAML declares for one of the server's names."""
        names = self._apps_by_name.keys() & {name.lower() for name in server.names}
        numbers = [self._apps_by_name[name] for name in names]
        return self.declared.apps[min(numbers)] if numbers else None

    @cached_property
    def _apps_by_name(self) -> dict[str, int]:
        """Server name → the index of the first app that has it."""
        found: dict[str, int] = {}
        for number, app in enumerate(self.declared.apps):
            for name in app.server_names:
                found.setdefault(name.lower(), number)
        return found

    def import_result(self, app: DeclaredApp | None) -> ImportResult | None:
        """The result of importing an app; None where the YAML does not name its code."""
        if app is None or app.code is None:
            return None
        results = self._readings.import_results
        if app.site not in results:
            results[app.site] = import_app(self, app, app.code)
        return results[app.site]

    def app_facts(self, server: Server) -> AppFacts | None:
        """The settings of the app behind a server; None where it could not be imported."""
        result = self.import_result(self.declared_app(server))
        return result.facts if result and isinstance(result.facts, AppFacts) else None


def server_names_of(
    declared: Declaration, sites: Iterable[str], servers: Iterable[str]
) -> frozenset[str]:
    """The server names that `--site` selects: by a site of the YAML, or by a server name.

    Errors: ReconcileError where a site is unknown.
    """
    known, selected = frozenset(servers), set[str]()
    for site in sites:
        if site not in declared.sites and site not in known:
            raise ReconcileError(
                what=f"Unknown site: {site}",
                why="neither the YAML nor a server_name of nginx has it",
                fix=f"Use one of: {', '.join(sorted({*declared.sites, *known} - {''}))}",
            )
        selected.update(declared.sites.get(site, (site,)))
    return frozenset(selected)
