"""What a plan makes of one path, for everything that asks about a host before it is changed."""

from __future__ import annotations

from collections.abc import Mapping

from reconcile.dataclass import dataclass


class _Absent:
    """The name does not exist, and may be created anew."""


class _Folder:
    """The directory exists, with whatever the machine has in it."""


@dataclass(frozen=True)
class Link:
    """A symlink."""

    target: str


ABSENT, FOLDER = _Absent(), _Folder()
Entry = bytes | Link | _Absent | _Folder
PlannedEntries = Mapping[str, Entry]
"""Absolute path → the content of a file, a Link, FOLDER, or ABSENT for what is removed."""
