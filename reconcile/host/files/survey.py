"""What differs between a source folder and its copy, and what was asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from reconcile.host.files.scan import Deviation, Examples, Rule
from reconcile.host.files.source import LeftOut

Moved = Literal["source", "host"]
"""Who has changed since the last copy."""


@dataclass(frozen=True)
class Order:
    """What is asked for: from where to where, how it must be, and what is not ours.

    `extra` are files at the root that the source need not have; `excluded` are
    paths relative to the root that someone else looks after.
    """

    source: str
    root: str
    rule: Rule
    prune: bool = False
    extra: Mapping[str, bytes] = field(default_factory=dict)
    excluded: Collection[str] = ()


class Copy(NamedTuple):
    """A file to be written: from `real` in the source, or from `data`."""

    path: str
    real: str
    data: bytes | None
    is_new: bool
    old_size: int
    new_size: int
    moved: Moved


@dataclass
class Survey:
    """All that differs; paths are relative to the root."""

    folders: list[str] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    stale: dict[str, None] = field(default_factory=dict)
    """Compressed siblings that nginx would serve in place of newer content."""
    surplus: list[str] = field(default_factory=list)
    surplus_folders: list[str] = field(default_factory=list)
    deviations: list[Deviation] = field(default_factory=list)
    rows: dict[str, bytes] = field(default_factory=dict)
    """What is to be remembered of the files that are right; filled only on request."""
    others: Examples = field(default_factory=Examples)
    """Files that are not in the source and stay."""
    withheld: Examples = field(default_factory=Examples)
    left_out: LeftOut = field(default_factory=LeftOut)
    total: int = 0

    @property
    def differing(self) -> int:
        folders = len(self.folders) + len(self.surplus_folders)
        files = len(self.copies) + len(self.stale) + len(self.surplus)
        return folders + files + len(self.deviations)
