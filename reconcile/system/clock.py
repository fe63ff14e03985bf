"""The clocks of this machine: the wall's, and the one that counts since the boot."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from reconcile.dataclass import dataclass

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


@dataclass(frozen=True)
class ClockReading:
    """One moment by both clocks; `since_boot_s` runs on in suspend and is never set."""

    wall: datetime
    boot_id: str
    since_boot_s: float


def read_clock() -> ClockReading:
    """The present moment. Errors: OSError."""
    return ClockReading(datetime.now(UTC), boot_id(), time.clock_gettime(time.CLOCK_BOOTTIME))


def boot_id() -> str:
    """The id of this boot. Source: random(4). Errors: OSError."""
    with open(_BOOT_ID, encoding="ascii") as file:
        return file.read().strip()
