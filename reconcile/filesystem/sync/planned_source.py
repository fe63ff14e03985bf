"""A comparison with a source in which the same apply will write or remove files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from posixpath import join

from reconcile.filesystem.compress import SUFFIXES, is_worth
from reconcile.filesystem.inode import Stat
from reconcile.filesystem.path import ancestors_top_down
from reconcile.filesystem.planned_entry import ABSENT, FOLDER, Entry, Link
from reconcile.filesystem.sync.compare_file import wrong_kind_in_copy
from reconcile.filesystem.sync.manifest import SyncManifest
from reconcile.filesystem.sync.manifest_row import NOT_WRITTEN, Signature
from reconcile.filesystem.sync.sync_diff import FileCopy, SyncDiff, SyncRequest
from reconcile.types import Encoding

Content = Callable[[str], tuple[Stat, bytes] | None]


class PlannedSource:
    """Changes what was `found` to what will differ once `planned` lies in the source.

    `stat` and `content` read the host; planned symlinks are not followed.
    """

    def __init__(
        self,
        request: SyncRequest,
        found: SyncDiff,
        manifest: SyncManifest,
        stat: Callable[[str], Stat | None],
        content: Content,
    ) -> None:
        self._request, self._found, self._manifest = request, found, manifest
        self._stat, self._content = stat, content
        self._copies = {(one.file, one.encoding): one for one in found.copies}

    def lay_over(self, planned: Mapping[str, Entry]) -> None:
        """`planned` is by path, relative to the source."""
        for path, entry in planned.items():
            is_hidden = any(name.startswith(".") for name in path.split("/"))
            if not is_hidden and path not in self._request.excluded:
                self._lay_over(path, entry)
        self._found.copies = list(self._copies.values())

    def _lay_over(self, path: str, entry: Entry) -> None:
        if isinstance(entry, Link):
            return
        for encoding in (None, *SUFFIXES):
            self._copies.pop((path, encoding), None)
        if entry is ABSENT and path not in self._request.extra:
            self._remove(path)
            return
        entry = self._request.extra[path] if entry is ABSENT else entry
        folders = [folder.lstrip("/") for folder in ancestors_top_down(f"/{path}")]
        self._add_folders([*folders, path] if entry is FOLDER else folders)
        if isinstance(entry, bytes):
            self._add(path, entry)

    def _remove(self, path: str) -> None:
        if path in self._found.folders:
            self._found.folders.remove(path)
            return
        for suffix in SUFFIXES.values():
            self._remove_generated(path + suffix)
        copy = self._stat(self._in_copy(path))
        if copy is not None and copy.kind == "directory":
            self._remove_folder(path)
        if copy is None or copy.kind != "file" or path in self._found.extraneous:
            return
        if self._request.prune:
            self._found.extraneous.append(path)
            self._found.replaced[path] = _signature(copy)
        else:
            self._found.kept.add(path)

    def _remove_folder(self, path: str) -> None:
        folders = self._found.extraneous_folders
        if self._request.prune and path in self._manifest.folders and path not in folders:
            folders.append(path)

    def _remove_generated(self, path: str) -> None:
        """A compressed sibling that reconcile made, and that nothing requests any more."""
        digest = self._manifest.generated_digest(path)
        there = None if digest == NOT_WRITTEN else self._content_of(path)
        if there is not None and sha256(there[1]).digest() == digest:
            self._found.stale[path] = "obsolete"
            self._found.replaced[path] = _signature(there[0])

    def _add_folders(self, folders: list[str]) -> None:
        for folder in filter(None, folders):
            if folder in self._found.extraneous_folders:
                self._found.extraneous_folders.remove(folder)
            if self._stat(self._in_copy(folder)) is None and folder not in self._found.folders:
                self._found.folders.append(folder)

    def _add(self, path: str, data: bytes) -> None:
        if path in self._found.extraneous:
            self._found.extraneous.remove(path)
            self._found.replaced.pop(path, None)
        there = self._content_of(path)
        if there is not None and there[1] == data:
            return
        self._found.total += there is None
        for encoding in self._encodings(path, data):
            self._copies[path, encoding] = self._copy(path, data, encoding)

    def _content_of(self, path: str) -> tuple[Stat, bytes] | None:
        copy = self._stat(self._in_copy(path))
        if copy is not None and copy.kind == "directory":
            raise wrong_kind_in_copy(self._in_copy(path), "a file")
        return None if copy is None or copy.kind != "file" else self._content(self._in_copy(path))

    def _encodings(self, path: str, data: bytes) -> Iterator[Encoding | None]:
        yield None
        if is_worth(path.rpartition("/")[2], len(data)):
            yield from self._request.precompress

    def _copy(self, file: str, data: bytes, encoding: Encoding | None) -> FileCopy:
        path = file + (SUFFIXES[encoding] if encoding else "")
        copy = self._stat(self._in_copy(path))
        if copy is not None:
            self._found.replaced[path] = _signature(copy)
        old, new = copy.size if copy else 0, 0 if encoding else len(data)
        return FileCopy(path, "", data, copy is None, old, new, "source", encoding)

    def _in_copy(self, path: str) -> str:
        return join(self._request.root, path)


def _signature(copy: Stat) -> bytes:
    return Signature(copy.size, copy.mtime_ns, copy.ctime_ns, copy.ino).packed
