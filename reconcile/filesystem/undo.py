"""Undo records: how each effect is undone, in a form that outlives the process.

A record is written by the recorder before its effect. Undoing it is idempotent and
conditional: it checks what of the effect has happened, undoes that, and leaves alone
whatever somebody else has changed since.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator
from enum import IntEnum
from typing import Any, ClassVar, Protocol, Self, TypeVar

from reconcile.dataclass import dataclass


class Stage(IntEnum):
    """The order of undoing: in reverse of the effects first, then what reads restored files."""

    IN_TURN = 0
    UNITS = 1
    STARTS = 2
    NGINX = 3


@dataclass(frozen=True)
class Undo(ABC):
    """How one effect is undone; the fields are JSON values only."""

    op: ClassVar[str]
    is_switch: ClassVar[bool] = False
    """Whether visitors change over by it: all later effects are undone before, in every stage."""

    @property
    def stage(self) -> Stage:
        """When it is undone: what reads files that others restore, after them."""
        return Stage.IN_TURN

    @property
    def folder(self) -> str:
        """The directory in which it changes something on the disk; "" for none."""
        return ""

    @property
    def affects(self) -> str:
        """The name of what it changes: a path, or a unit."""
        return ""

    def remains(self, host: Any) -> str:  # noqa: ARG002
        """What of the effect is still there once it was undone; "" for nothing."""
        return ""

    def refusal(self, host: Any) -> str:  # noqa: ARG002
        """Why it cannot be undone at all; "" where it can."""
        return ""

    def warning(self) -> str:
        """What undoing it does not bring back; "" for nothing."""
        return ""

    def published_root(self, path: str) -> str:  # noqa: ARG002
        """For a switch: the root of the copy whose new file `path` stays when it is undone."""
        return ""

    def prevents_automatic(self, host: Any) -> str:  # noqa: ARG002
        """Why only a person may decide to undo it; "" where nothing is lost by that."""
        return ""

    @abstractmethod
    def undo(self, host: Any) -> str:
        """Undo the effect on `host`; return "" or why something was left as it is.

        Durable only once `folder` is flushed, so that many are flushed together.
        """

    def parts(self) -> Iterator[Undo]:
        """The undos that it stands for, in the order of their effects; itself, unless many."""
        yield self

    @property
    def subject(self) -> Hashable | None:
        """What it changes, where several undos of that can be `coalesced`."""
        return None

    @property
    def succeeds(self) -> Hashable | None:
        """The subject of earlier undos that changed what this one brings back."""
        return None

    def bringing_back(self, earlier: Undo) -> Self:  # noqa: ARG002
        """The same, bringing it back as it was before `earlier`."""
        return self

    def merge_with(self, later: Self) -> Self:
        """What undoes both: this effect, and a later one on the same subject."""
        raise NotImplementedError(f"{self.op} has no subject")

    def discard_backup(self) -> None:  # noqa: B027  most keep nothing
        """Drop what was kept for `undo`, which will never be called."""


def coalesced(undos: Iterable[Undo]) -> Iterator[Undo]:
    """`undos` in their order, several on one subject as one in the place of the first."""
    left: dict[Hashable, Undo] = {}
    for number, one in enumerate(undos):
        undo = one.bringing_back(left[one.succeeds]) if one.succeeds in left else one
        subject = number if undo.subject is None else undo.subject
        first = left.get(subject)
        left[subject] = undo if first is None else first.merge_with(undo)
    yield from left.values()


class Recorder(Protocol):
    """Where undo records are written: the journal while an apply runs."""

    @property
    def id(self) -> str:
        """Short, of letters, digits, `-` and `_` only: it is part of file names."""

    @property
    def keep_dir(self) -> str:
        """An existing directory, root's (or ours) alone, for inodes that undo needs."""

    def record_undo(self, *undos: Undo) -> None:
        """Remember `undos`, in this order; durable when this returns."""


_records: dict[str, type[Undo]] = {}
Record = TypeVar("Record", bound=type[Undo])


def undo_record(record: Record) -> Record:
    """Class decorator: `record` can be read back from JSON by its `op`."""
    _records[record.op] = record
    return record


def to_json(record: Undo) -> dict[str, Any]:
    """The record as a JSON object."""
    return {"op": record.op, **vars(record)}


def from_json(data: dict[str, Any]) -> Undo:
    """The record that `to_json` wrote; the module that defines it has to be imported.

    Errors: KeyError for an `op` that is not registered.
    """
    fields = {name: value for name, value in data.items() if name != "op"}
    return _records[data["op"]](**fields)
