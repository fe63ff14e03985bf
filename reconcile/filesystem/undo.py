"""How effects are taken back: records that outlive the process, and who keeps them.

A record is told to the recorder before its effect. Undoing it is idempotent and
conditional: it finds out what of the effect has happened, takes that back, and
leaves alone whatever somebody else has changed since.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from reconcile.system import Host


@dataclass(frozen=True)
class Undo(ABC):
    """How one effect is taken back; fields are JSON values only."""

    op: ClassVar[str]
    run_last: ClassVar[bool] = False
    """Undone after all others, which are undone in reverse: it reads files that they put back."""

    @property
    def folder(self) -> str:
        """The directory in which it changes something on the disk; "" for none."""
        return ""

    @abstractmethod
    def undo(self, host: Host) -> str:
        """Take the effect back; "" or why something was left as it is.

        Durable only once `folder` is flushed, so that many are flushed together.
        """

    @property
    def subject(self) -> Hashable | None:
        """What it is about, where several undos of it can be `joined`."""
        return None

    def merge_with(self, later: Self) -> Self:
        """What takes back both: this effect, and a later one on the same subject."""
        raise NotImplementedError(f"{self.op} has no subject")

    def discard_backup(self, host: Host) -> None:  # noqa: B027  most keep nothing
        """Drop what was kept for `undo`, which will not be asked for any more."""


def coalesced(undos: Iterable[Undo]) -> Iterator[Undo]:
    """`undos` in their order, several of one thing as one in the place of the first."""
    left: dict[Hashable, Undo] = {}
    for number, undo in enumerate(undos):
        subject = number if undo.subject is None else undo.subject
        first = left.get(subject)
        left[subject] = undo if first is None else first.merge_with(undo)
    yield from left.values()


class Recorder(Protocol):
    """The journal while an apply runs."""

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
    return {"op": record.op, **vars(record)}


def from_json(data: dict[str, Any]) -> Undo:
    """The record that `to_json` wrote; its module has to be imported (resources.undo_records).

    Errors: KeyError for an `op` that is not registered.
    """
    fields = {name: value for name, value in data.items() if name != "op"}
    return _records[data["op"]](**fields)
