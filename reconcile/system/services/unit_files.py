"""Which paths systemd reads as unit files and drop-ins."""

from __future__ import annotations

from posixpath import basename, dirname
from typing import TYPE_CHECKING

from reconcile.system.services import UNIT_NAME

if TYPE_CHECKING:
    from reconcile.system import Host
    from reconcile.system.services import UnitStatus

UNIT_DIRECTORY = "/etc/systemd/system"
UNIT_DIRECTORIES = (
    UNIT_DIRECTORY,
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
"""Source: systemd.unit(5), the load path of the system manager."""


def is_unit_file(path: str) -> bool:
    """Whether systemd reads `path` as a unit file or as a drop-in."""
    return unit_of(path) != "" or (
        path.endswith(".conf") and dirname(dirname(path)) in UNIT_DIRECTORIES
    )


def unit_of(path: str) -> str:
    """The unit that the file or drop-in `path` is of; "" where that is not one unit."""
    folder = dirname(path)
    if folder in UNIT_DIRECTORIES and UNIT_NAME.fullmatch(basename(path)):
        return basename(path)
    unit = basename(folder).removesuffix(".d")
    is_dropin = path.endswith(".conf") and basename(folder) == f"{unit}.d"
    is_here = is_dropin and dirname(folder) in UNIT_DIRECTORIES
    return unit if is_here and UNIT_NAME.fullmatch(unit) else ""


def is_local_unit(host: Host, status: UnitStatus) -> bool:
    """Whether its unit file lies where reconcile's do, and not where packages put theirs."""
    return not status.masked and status.fragment_path == host.services.unit_path(status.unit)
