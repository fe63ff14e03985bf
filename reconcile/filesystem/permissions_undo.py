"""The undo record of many changes of owner and mode at once.

Its fields are JSON keys on the disk: never rename one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from posixpath import join
from typing import Any, ClassVar, Self

from reconcile.dataclass import dataclass
from reconcile.filesystem.file_undo import PermissionsChanged
from reconcile.filesystem.permissions import PermissionDeviation, PermissionPolicy
from reconcile.filesystem.undo import Undo, undo_record


@undo_record
@dataclass(frozen=True)
class PermissionsChangedBelow(Undo):
    """What is below `root` was given an owner and a mode; one line of the journal for all.

    Each of `files` and `directories` is its relative path, inode, uid, gid and mode as they were,
    and its attributes where it had any.
    """

    op: ClassVar[str] = "files.meta_below"
    root: str
    files: Sequence[Sequence[Any]]
    directories: Sequence[Sequence[Any]]
    given_files: Sequence[int]
    given_directories: Sequence[int]

    @classmethod
    def of(cls, root: str, policy: PermissionPolicy, found: Sequence[PermissionDeviation]) -> Self:
        """The record for giving all of `found` what the policy wants."""
        files = [_entry(one) for one in found if not one.is_directory]
        directories = [_entry(one) for one in found if one.is_directory]
        return cls(root, files, directories, policy.ownership(False), policy.ownership(True))

    def parts(self) -> Iterator[PermissionsChanged]:
        """Directories first, so that they are restored last."""
        yield from self._parts(self.directories, self.given_directories)
        yield from self._parts(self.files, self.given_files)

    def _parts(
        self, entries: Sequence[Sequence[Any]], given: Sequence[int]
    ) -> Iterator[PermissionsChanged]:
        for name, ino, uid, gid, mode, *attributes in entries:
            path = join(self.root, name)
            yield PermissionsChanged(path, ino, uid, gid, mode, dict(*attributes), [given])

    def undo(self, host: Any) -> str:
        """Undo all of it; see `Undo.undo`."""
        return "\n".join(filter(None, [part.undo(host) for part in reversed([*self.parts()])]))


def _entry(found: PermissionDeviation) -> tuple[Any, ...]:
    attributes = (dict(found.attributes),) if found.attributes else ()
    return found.path, found.ino, found.uid, found.gid, found.mode, *attributes
