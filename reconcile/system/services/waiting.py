"""Wait until a started service stays active."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from reconcile.system.services import ServiceFailed

if TYPE_CHECKING:
    from reconcile.system.services import ServiceManager, UnitStatus

ACTIVE_TIMEOUT_S = 30.0
# Most programs that cannot run end within a few hundredths of a second.
STEADY_S = 0.3
POLL_S = 0.05
# What lacks a module or a database ends before; celery takes two seconds to find that out.
STABLE_S = 3.0


def wait_until_active(manager: ServiceManager, unit: str, read_log: Callable[[], str]) -> None:
    """Return once `unit` has been active with one main process for STEADY_S.

    Errors: ServiceFailed, with `read_log()` as why, as soon as it is down.
    """
    deadline = time.monotonic() + ACTIVE_TIMEOUT_S
    steady_since, known_pid = time.monotonic(), -1
    while time.monotonic() - steady_since < STEADY_S or known_pid < 0:
        status = manager.status(unit)
        if _is_down(status) or time.monotonic() > deadline:
            raise _start_failed(status, read_log())
        if not status.active or status.main_pid != known_pid:
            steady_since = time.monotonic()
            known_pid = status.main_pid if status.active else -1
        time.sleep(POLL_S)


def wait_until_stable(manager: ServiceManager, unit: str, stable_s: float) -> None:
    """Return once the process of `unit` is `stable_s` old.

    Errors: ServiceFailed, with the end of its log, where it ended before.
    """
    first = manager.status(unit)
    while True:
        now = manager.status(unit)
        if not now.active or now.main_pid != first.main_pid:
            raise _start_failed(now, manager.log_tail(unit))
        left_s = stable_s - (time.time() - (now.started_at or 0.0))
        if left_s <= 0:
            return
        time.sleep(min(left_s, POLL_S))


def _is_down(status: UnitStatus) -> bool:
    return not status.active and not status.state.startswith("activating (start")


def _start_failed(status: UnitStatus, log_text: str) -> ServiceFailed:
    return ServiceFailed(
        what=f"{status.unit} does not stay active: {status.state}",
        why=log_text or "it logged nothing",
        fix="Fix this error, then apply again.",
    )
