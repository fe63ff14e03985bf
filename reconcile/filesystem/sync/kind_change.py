"""A file of the source where the copy has a directory, and the reverse: what has to go first."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from posixpath import join

from reconcile.filesystem.host_error import cause
from reconcile.filesystem.sync.compare_file import FileComparison, in_the_way
from reconcile.filesystem.walk import DEEPEST


class KindChange:
    """Collects in what `files` found the paths that are cleared before anything is written.

    Only what was copied and nobody has changed since goes; with `prune`, all that no other
    resource manages. Anything else is in the way. Errors: HostError, OSError.
    """

    def __init__(self, files: FileComparison, is_excluded: Callable[[str], bool]) -> None:
        self._files, self._is_excluded = files, is_excluded

    def to_directory(self, path: str, copy: os.stat_result) -> None:
        """The source has a directory where the copy has a file."""
        self._clear_file(path, copy, path, "a directory")

    def to_file(self, path: str) -> None:
        """The source has a file where the copy has a directory."""
        self._clear_directory(path, path)

    def _clear_directory(self, folder: str, top: str) -> None:
        self._refuse(folder, top, "a file", is_own=folder in self._files.manifest.folders)
        for path, copy in sorted(self._listed(folder, top).items()):
            if stat.S_ISDIR(copy.st_mode):
                self._clear_directory(path, top)
            else:
                self._clear_file(path, copy, top, "a file")
        self._files.found.cleared_folders.append(folder)

    def _listed(self, folder: str, top: str) -> dict[str, os.stat_result]:
        try:
            with self._files.list_copy(folder) as at:
                return {
                    join(folder, name): os.stat(name, dir_fd=at.fd, follow_symlinks=False)
                    for name in at.names
                }
        except OSError as error:
            root = self._files.request.root
            why = f"{join(root, folder)} cannot be cleared: {cause(error)}"
            raise in_the_way(join(root, top), "a file", why) from error

    def _clear_file(self, path: str, copy: os.stat_result, top: str, wanted: str) -> None:
        self._refuse(path, top, wanted, is_own=self._files.manifest.is_as_written(path))
        self._files.record_replaced(path, copy)
        self._files.found.cleared.append(path)

    def _refuse(self, path: str, top: str, wanted: str, *, is_own: bool) -> None:
        root, is_hidden = self._files.request.root, path.rpartition("/")[2].startswith(".")
        if self._is_excluded(path):
            raise in_the_way(join(root, top), wanted, f"{join(root, path)} is declared by itself")
        is_kept = is_hidden or path.count("/") >= DEEPEST
        if is_kept or not (is_own or self._files.request.prune):
            why = f"{join(root, path)} is not as reconcile copied it"
            raise in_the_way(join(root, top), wanted, why)
