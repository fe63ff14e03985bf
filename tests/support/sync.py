"""A copy made as an apply makes it: compared, then changed by what was found."""

from __future__ import annotations

from reconcile.filesystem.sync.sync_diff import SyncRequest
from reconcile.system import Host


def sync(host: Host, request: SyncRequest) -> None:
    host.files.sync(request, host.files.diff(request))
