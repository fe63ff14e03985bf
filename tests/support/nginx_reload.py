"""Reloading nginx on a host: `systemctl reload` returns before nginx has read its files."""

from __future__ import annotations

from tests.lab import DebianHost
from tests.support.wait import wait_for


def reload_nginx(host: DebianHost) -> None:
    """Reload nginx, and wait until all workers that accept connections are new ones."""
    old = wait_for(lambda: _workers(host), "the workers")
    host.run("systemctl", "reload", "nginx")
    wait_for(lambda: (new := _workers(host)) and not old & new, "the new workers")


def _workers(host: DebianHost) -> set[str]:
    """Of nginx, those that are shutting down left out."""
    return set(host.run("pgrep", "-f", "^nginx: worker process$", check=False).stdout.split())
