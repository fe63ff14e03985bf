"""What stays when visitors are led back from a version of an app: the new files of its pages.

A page that a visitor has open asks for them later, as one of the version before does after a
switch to a newer one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from reconcile.filesystem.file_undo import MadeDirectory, Removed, Replaced
from reconcile.filesystem.path import ancestors, relative_to
from reconcile.filesystem.undo import Undo
from reconcile.wording import counted

if TYPE_CHECKING:
    from reconcile.system import Host


class OpenPages:
    """The new files that were published at a switch, in each of these copies.

    `applies` are the undos of each apply, the first one first; `copies` are the roots of what
    was copied before all of them: only there visitors find files afterwards.
    """

    def __init__(self, applies: Sequence[Sequence[Undo]], copies: Collection[str]) -> None:
        written = [undo for undos in applies for undo in undos if _writes(undo)]
        first = {undo.affects: undo for undo in reversed(written)}
        last = {undo.affects: undo for undo in written}
        files: dict[str, dict[str, str]] = {}
        for undo, root in (one for undos in applies for one in _published(undos)):
            now = last[undo.path]
            # One that was there before any apply gets its old content back, and one that was
            # removed again had had its time.
            if root in copies and first[undo.path] == undo and isinstance(now, Replaced):
                files.setdefault(root, {})[undo.path] = now.wrote
        self._files = files
        self._paths = {path for written in files.values() for path in written}
        above = {folder for path in self._paths for folder in ancestors(path)}
        made = (one.path for undos in applies for one in undos if isinstance(one, MadeDirectory))
        self._folders = above.intersection(made)

    def without_their_files(self, undos: Iterable[Undo]) -> list[Undo]:
        """Those of `undos` that change nothing of what stays."""
        return [undo for undo in undos if not self._keeps(undo)]

    def _keeps(self, undo: Undo) -> bool:
        if isinstance(undo, MadeDirectory):
            return undo.path in self._folders
        return _writes(undo) and undo.affects in self._paths

    def notes(self) -> Iterator[str]:
        """What stays, a note for each copy."""
        for root, files in self._files.items():
            kept = counted(len(files), "new file")
            yield f"{kept} left in {root} for pages that visitors have open"

    def record(self, host: Host) -> None:
        """Record what stays as ours, so that it goes in its time. Errors: HostError."""
        for root, files in self._files.items():
            held = {relative: files[path] for path, relative in _relative_to_root(root, files)}
            folders = [relative for _, relative in _relative_to_root(root, self._folders)]
            host.files.record_written(root, held, folders)


def _writes(undo: Undo) -> bool:
    return isinstance(undo, Replaced | Removed)


def _published(undos: Sequence[Undo]) -> Iterator[tuple[Replaced, str]]:
    """The new files of one apply that a later switch publishes, with the root of their copy."""
    new: list[Replaced] = []
    for undo in undos:
        if isinstance(undo, Replaced) and undo.keep is None:
            new.append(undo)
        for one in new if undo.is_switch else ():
            if root := undo.published_root(one.path):
                yield one, root


def _relative_to_root(root: str, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Those below `root`, each also relative to it."""
    for path in paths:
        if relative := relative_to(path, root):
            yield path, relative
