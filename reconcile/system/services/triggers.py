"""Units that start another one: its socket, its timer, its path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconcile.system.services.systemctl import Properties, show

if TYPE_CHECKING:
    from reconcile.system.commands import Commands
    from reconcile.system.services import ServiceManager

_SUFFIXES = ("socket", "timer", "path")


def is_triggered(commands: Commands, unit: str, properties: Properties) -> bool:
    """Whether an enabled unit starts `unit`, which has no [Install] section, since boot.

    `properties` are its own, `TriggeredBy` among them, which names only what systemd has loaded.
    Errors: ReconcileError where systemd does not answer.
    """
    stem, _, suffix = unit.rpartition(".")
    if suffix != "service":
        return False
    same_name = (f"{stem}.{one}" for one in _SUFFIXES)
    triggers = dict.fromkeys((*properties.get("TriggeredBy", "").split(), *same_name))
    found = show(commands, ("UnitFileState",), [*triggers])
    return any(one["UnitFileState"] == "enabled" for one in found)


def stop_service_of(services: ServiceManager, unit: str) -> str:
    """Stop the service of a socket that is to be started; its name, "" where nothing ran.

    systemd refuses to start a socket whose service runs already.
    """
    stem, _, suffix = unit.rpartition(".")
    service = f"{stem}.service"
    if suffix != "socket" or not services.status(service).active:
        return ""
    services.stop(service)
    return service
