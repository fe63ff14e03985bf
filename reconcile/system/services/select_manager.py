"""The service manager that the host's settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconcile.system import Host
    from reconcile.system.services import ServiceManager


def select_manager(host: Host) -> ServiceManager:
    """The service manager of `host`, by `host.service_manager` of its settings.

    Each is a tenth of what a command imports, and a host has one: only that one is imported.
    """
    name = host.settings.service_manager
    if name == "systemd":
        from reconcile.system.services.systemd import Systemd

        return Systemd(host)
    if name == "process":
        from reconcile.system.services.process.manager import ProcessManager

        return ProcessManager(host)
    from reconcile.system.services.none import NoServices

    return NoServices(host)
