"""Nginx's workers from before a reload, which end once their requests have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconcile.errors import ReconcileError
from reconcile.nginx.running.discover import discover
from reconcile.nginx.running.loaded_config import find_running
from reconcile.system.processes import wait_until, workers

if TYPE_CHECKING:
    from reconcile.system import Host

DRAIN_S = 30.0
"""How long requests that began before a reload may take."""


def drain(host: Host) -> None:
    """Wait until nginx's workers from before a reload have ended, or for DRAIN_S.

    They pass on the rest of their requests to where the old configuration leads. Nothing to
    wait for where no nginx is found.
    """
    try:
        now = find_running(discover(host))
    except ReconcileError:
        # Without a configuration that can be read nothing was reloaded.
        return
    if now is not None:
        wait_until(
            lambda: not workers(now.master_pid, shutting_down=True), timeout_s=DRAIN_S, every_s=0.05
        )
