"""What keeps a unit from being started or enabled, found before anything is changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconcile.system.services import ServiceFailed, start_failure_fix
from reconcile.system.services.unit_files import is_local_unit

if TYPE_CHECKING:
    from reconcile.system import Host
    from reconcile.system.services import UnitStatus

NO_UNIT = "the host has no unit of that name"
_INSTALL = re.compile(rb"^[ \t]*\[Install\]", re.MULTILINE)
"""Source: systemd.unit(5), "[Install] Section Options"."""


class UnitMissing(ServiceFailed):
    """A unit cannot be started, because it does not exist or is masked."""

    rule = "service-missing"


class UnitTaken(ServiceFailed):
    """The host has a unit of that name already, which others wrote."""

    rule = "service-name-taken"


def refuse_taken(host: Host, status: UnitStatus) -> None:
    """Errors: UnitTaken, where others wrote the unit."""
    if status.fragment_path and not is_local_unit(host, status):
        raise UnitTaken(
            what=f"{status.unit} is a unit of this host already",
            why=f"its file is {status.fragment_path}, which reconcile did not write",
            fix="Use another name in `services`. Nothing was changed.",
        )


def refuse_missing(host: Host, status: UnitStatus) -> None:
    """Errors: UnitMissing, where the unit does not exist once the plan is done, or is masked."""
    if status.masked or not _will_exist(host, status):
        raise UnitMissing(
            what=f"{status.unit} cannot be started",
            why="it is masked" if status.masked else NO_UNIT,
            fix=f"{start_failure_fix(status)} Nothing was changed.",
        )


def refuse_not_enabled(host: Host, status: UnitStatus) -> None:
    """Errors: ServiceFailed, where the unit is not enabled, and cannot be."""
    if not status.enabled and not _can_be_enabled(host, status):
        raise ServiceFailed(
            what=f"{status.unit} cannot be enabled",
            why=f"{_unit_path(host, status)} has no [Install] section",
            fix="Add one, with WantedBy=multi-user.target. Nothing was changed.",
        )


def _will_exist(host: Host, status: UnitStatus) -> bool:
    if status.loaded and not status.fragment_path:
        return True
    return host.files.stat(_unit_path(host, status), follow=True) is not None


def _unit_path(host: Host, status: UnitStatus) -> str:
    return status.fragment_path or host.services.unit_path(status.unit)


def _can_be_enabled(host: Host, status: UnitStatus) -> bool:
    """Whether its planned files say when it is to be started at boot."""
    dropins = host.files.glob(f"{host.services.unit_path(status.unit)}.d/*.conf")
    paths = (_unit_path(host, status), *status.dropins, *dropins)
    texts = (host.files.content(path) for path in paths)
    return any(found is not None and _INSTALL.search(found[1]) for found in texts)
