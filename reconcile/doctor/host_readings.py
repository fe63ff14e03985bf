"""Reads what all sites of a host share, once and on demand."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property
from posixpath import join, normpath
from typing import TYPE_CHECKING

from reconcile.doctor.nginx_readings import NginxReadings
from reconcile.doctor.unit_journal import read_journal
from reconcile.doctor.units import UnitView, read_units
from reconcile.doctor.upstream import local_port, socket_path
from reconcile.filesystem.host_error import explained
from reconcile.filesystem.inventory import Inventory, inventory
from reconcile.system.ports import holders
from reconcile.system.processes import children
from reconcile.system.sockets import holders_at

if TYPE_CHECKING:
    from reconcile.doctor.app_introspection.import_app import ImportResult
    from reconcile.filesystem.access_walk import AccessWalk
    from reconcile.system import Host
    from reconcile.system.accounts import Account

MAX_ITEMS = 50_000
"""The files examined below one folder; a note reports that a larger one was examined in part."""


class HostReadings:
    """What the rules read of a host.

    `access`: what an account may do with each component of a path. `inventory`: the contents of
    a folder, None where it does not exist. `listeners`: the pids that listen at an upstream of
    this machine, as far as this user can see them. `import_results`: site → the result of
    importing its app.
    Errors: each member raises ReconcileError or OSError where the host cannot be read.
    """

    access: Callable[[str, Account], AccessWalk]
    inventory: Callable[[str], Inventory | None]
    listeners: Callable[[str], tuple[int, ...]]

    def __init__(self, host: Host) -> None:
        self.host = host
        self.nginx = NginxReadings(host)
        self.access = cache(host.files.access)
        self.inventory = cache(self._read_inventory)
        self.listeners = cache(self._find_listeners)
        self.import_results: dict[str, ImportResult] = {}
        self._journals: dict[str, tuple[str, ...]] = {}

    @cached_property
    def units(self) -> dict[str, UnitView]:
        """Every service and socket, by name."""
        return read_units(self.host)

    def journal(self, unit: UnitView) -> tuple[str, ...]:
        """The last lines that the present run of a unit has logged."""
        if unit.name not in self._journals:
            self._journals[unit.name] = read_journal(self.host, unit)
        return self._journals[unit.name]

    def _find_listeners(self, target: str) -> tuple[int, ...]:
        if path := socket_path(target):
            return holders_at(path) or holders_at(self.real_path(path))
        port = local_port(target)
        masters = [holder.pid for holder in holders(port) if holder.pid] if port else []
        workers = (pid for master in masters if master != 1 for pid in children(master))
        return (*masters, *workers)

    def _read_inventory(self, folder: str) -> Inventory | None:
        found = self.host.files.stat(folder, follow=True)
        if found is None or found.kind != "directory":
            return None
        with explained(f"{folder} cannot be listed"):
            return inventory(folder, MAX_ITEMS)

    def is_same(self, one: str, other: str) -> bool:
        """Whether two paths lead to one file or folder, through links or bind mounts."""
        if one == other:
            return True
        stats = [self.host.files.stat(path, follow=True) for path in (one, other)]
        return None not in stats and len({(st.dev, st.ino) for st in stats if st}) == 1

    def real_path(self, path: str) -> str:
        """`path` with its links resolved, as far as that is safe."""
        files, resolved = self.host.files, "/"
        for name in path.strip("/").split("/"):
            step = join(resolved, name)
            found = files.stat(step)
            is_link = found is not None and found.kind == "symlink"
            resolved = normpath(join(resolved, files.readlink(step))) if is_link else step
        return resolved
