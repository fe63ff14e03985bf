"""What is the same for every site of a host, read once and only when somebody asks for it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from reconcile.doctor.logs import LogLine, read_error_logs, read_journal
from reconcile.doctor.units import UnitView, read_units
from reconcile.filesystem.host_error import explained
from reconcile.filesystem.inventory import Inventory, inventory
from reconcile.nginx.routing.router import Router
from reconcile.nginx.running.config_test import ConfigTest
from reconcile.nginx.running.discover import NginxInstallation, discover
from reconcile.nginx.running.loaded_config import RunningNginx, find_running
from reconcile.nginx.running.worker_view import WorkerView, worker_account
from reconcile.system.accounts import Account

if TYPE_CHECKING:
    from reconcile.filesystem.access_check import AccessWalk
    from reconcile.nginx.running.config_test import NginxError
    from reconcile.system import Host

MOST_ITEMS = 50_000
"""Files looked at below one folder; of a larger one a part is examined, and a note says so."""


class HostReadings:
    """A host. Errors: each part raises ReconcileError or OSError where it cannot be read."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._walks: dict[tuple[str, Account], AccessWalk] = {}
        self._inventories: dict[str, Inventory | None] = {}
        self._journals: dict[str, tuple[str, ...]] = {}

    @cached_property
    def nginx(self) -> NginxInstallation:
        return discover(self.host)

    @cached_property
    def router(self) -> Router:
        return Router(self.nginx.tree, prefix=self.nginx.build.prefix)

    @cached_property
    def running(self) -> RunningNginx | None:
        return find_running(self.nginx)

    @cached_property
    def config_error(self) -> NginxError | None:
        """What `nginx -t` has against the configuration on the disk."""
        return ConfigTest(self.nginx, {}).run()[0]

    @cached_property
    def worker(self) -> Account:
        return worker_account(self.nginx)

    @cached_property
    def disk(self) -> WorkerView:
        return WorkerView(self.host, self.worker)

    @cached_property
    def units(self) -> dict[str, UnitView]:
        return read_units(self.host)

    @cached_property
    def error_lines(self) -> tuple[LogLine, ...]:
        return read_error_logs(self.nginx.tree, self.nginx.layout.error_log)

    def journal(self, unit: UnitView) -> tuple[str, ...]:
        if unit.name not in self._journals:
            self._journals[unit.name] = read_journal(self.host, unit)
        return self._journals[unit.name]

    def access(self, path: str, account: Account) -> AccessWalk:
        key = (path, account)
        if key not in self._walks:
            self._walks[key] = self.host.files.access(path, account)
        return self._walks[key]

    def inventory(self, folder: str) -> Inventory | None:
        """What lies below `folder`; None where there is no such folder."""
        if folder not in self._inventories:
            found = self.host.files.stat(folder, follow=True)
            there = found is not None and found.kind == "directory"
            with explained(f"{folder} cannot be listed"):
                self._inventories[folder] = inventory(folder, MOST_ITEMS) if there else None
        return self._inventories[folder]
