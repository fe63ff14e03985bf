"""The service manager that the host's settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconcile.system.services.none import NoServices
from reconcile.system.services.process.manager import ProcessManager
from reconcile.system.services.systemd import Systemd

if TYPE_CHECKING:
    from reconcile.system import Host
    from reconcile.system.services import ServiceManager


def select_manager(host: Host) -> ServiceManager:
    """The service manager of `host`, by `host.service_manager` of its settings."""
    name = host.settings.service_manager
    if name == "systemd":
        return Systemd(host)
    return ProcessManager(host) if name == "process" else NoServices(host)
