"""The apps behind nginx: which process listens at an upstream, its unit, and its account."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconcile.doctor.units import UnitView
from reconcile.doctor.upstream import local_port, socket_path
from reconcile.nginx.routing.servers import Server
from reconcile.system.accounts import Account
from reconcile.system.process_info import cwd_of, ids_of, unit_of
from reconcile.system.processes import command_line
from reconcile.system.sockets import connects, listening_at

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection

USUAL_FOLDERS = ("static", "app/static", "src/static")


@dataclass(frozen=True)
class UpstreamApp:
    """A program behind nginx: its unit, or a substitute for one, and the ids it runs with."""

    unit: UnitView
    account: Account
    servers: tuple[Server, ...]


def find_apps(inspection: HostInspection) -> tuple[UpstreamApp, ...]:
    """Every program of this machine that nginx passes requests to."""
    found: dict[str, UpstreamApp] = {}
    for proxy in inspection.proxy_locations:
        for target in proxy.targets:
            for app in _apps_at(inspection, proxy.server, target):
                known = found.get(app.unit.name, app)
                servers = dict.fromkeys((*known.servers, proxy.server))
                found[app.unit.name] = replace(known, servers=tuple(servers))
    return tuple(found.values())


def static_folders(inspection: HostInspection, app: UpstreamApp) -> Iterator[str]:
    """The usual folders of static files that exist in the app's directory."""
    for usual in USUAL_FOLDERS:
        folder = f"{app.unit.working_directory}/{usual}"
        found = folder.startswith("/") and inspection.host.files.stat(folder, follow=True)
        if found and found.kind == "directory":
            yield folder


def accepts_connections(target: str) -> bool:
    """Whether a process listens at an upstream of this machine, also inside a container."""
    if path := socket_path(target):
        return bool(listening_at(path)) or connects(path)
    return connects(("127.0.0.1", local_port(target)), ("::1", local_port(target)))


def _apps_at(inspection: HostInspection, server: Server, target: str) -> Iterator[UpstreamApp]:
    # systemd, pid 1, listens for services that are socket-activated.
    pids = [pid for pid in inspection.listeners(target) if pid != 1]
    unit = _unit_at(inspection, server, target, pids) or _unmanaged_process(pids)
    if unit:
        yield UpstreamApp(unit, _app_account(inspection, unit, pids), (server,))


def _unit_at(
    inspection: HostInspection, server: Server, target: str, pids: Iterable[int]
) -> UnitView | None:
    """The service at an upstream: the declared one, else who listens, else whose unit names it."""
    units, declared = inspection.units, inspection.declared_app(server)
    if declared and declared.service in units:
        return units[declared.service]
    for pid in pids:
        if (name := unit_of(pid)) and name in units:
            return units[name]
    address = socket_path(target) or target
    for name, unit in units.items():
        if name.endswith(".socket") and address in unit.properties.get("Listen", ""):
            return next((units[one] for one in unit.words("Triggers")[:1] if one in units), None)
        if name.endswith(".service") and unit.binds(address):
            return unit
    return None


def _unmanaged_process(pids: Sequence[int]) -> UnitView | None:
    """A program that no unit has started, described as if one had."""
    if not pids:
        return None
    properties = {"MainPID": str(pids[0]), "WorkingDirectory": cwd_of(pids[0])}
    return UnitView(f"{command_line(pids[0])[:40]} (pid {pids[0]})", properties)


def _app_account(inspection: HostInspection, unit: UnitView, pids: Iterable[int]) -> Account:
    """Whom the app runs as: the ids of a process that listens, else those of its unit.

    The workers write the uploads; their master may still be root.
    """
    accounts = inspection.host.accounts
    ids = [found for pid in (*pids, unit.main_pid) if pid and (found := ids_of(pid))]
    if ids:
        chosen = max(ids, key=lambda found: found[0] != 0)
        return Account(accounts.user_name(chosen[0]), *chosen)
    user = accounts.user(unit.user)
    gid = accounts.group(unit.group) if unit.group else user.gid
    more = frozenset(map(accounts.group, unit.words("SupplementaryGroups")))
    return Account(user.name, user.uid, gid, user.groups | more | {gid})
