"""This machine as the planned changes will leave it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from reconcile.filesystem.planned_entry import PlannedEntries
from reconcile.filesystem.planned_files import PlannedFiles
from reconcile.system import Host


class PlannedHost(Host):
    """Reads like `base`, with planned entries laid over its files; changes nothing.

    Services are read from the machine: what a planned unit file does to them is for the
    resource that is a service.
    """

    def __init__(self, base: Host) -> None:
        super().__init__(base.settings)
        self.base = base
        self.known: dict[type[Any], Any] = {}
        """What this plan has read of `base` already, by its type."""
        self.scan_progress, self.guard = base.scan_progress, base.guard
        self.accounts, self.commands, self.state = base.accounts, base.commands, base.state

    @classmethod
    def with_entries(cls, host: Host, planned: PlannedEntries) -> PlannedHost:
        """The machine below `host`, with `planned` in place and nothing else."""
        world = cls(host.base if isinstance(host, PlannedHost) else host)
        for path, entry in planned.items():
            world.files.plan(path, entry)
        return world

    @cached_property
    def files(self) -> PlannedFiles:
        """The files with what is planned so far."""
        return PlannedFiles(self)
