"""Comparing a source folder with its copy, two directories at a time.

Memory follows what differs. A file that is as it was when last found equal is
not opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import NamedTuple

from reconcile.host.errors import HostError
from reconcile.host.files.descent import Descent
from reconcile.host.files.mend import descent
from reconcile.host.files.names import is_ours, join, parent
from reconcile.host.files.ownership import givable
from reconcile.host.files.read import CHUNK, opened
from reconcile.host.files.resolve import Entry
from reconcile.host.files.scan import Deviation
from reconcile.host.files.shipped import Shipped, Signature, row
from reconcile.host.files.source import Original, Source, source
from reconcile.host.files.survey import Copy, Moved, Order, Survey

COMPRESSED = (".gz", ".br", ".zst")
"""Suffixes that nginx serves in place of the file itself (gzip_static and its like)."""

Names = Mapping[str, os.stat_result]


class Pair(NamedTuple):
    """A directory of the copy and its original's real path; None where it lacks either.

    `linked`: reached through a symlink in the source.
    """

    folder: str
    real: str | None
    there: bool
    linked: bool = False


def survey(order: Order, shipped: Shipped, *, remember: bool = False) -> Survey:
    """Compare; changes nothing. `remember` fills `equal`.

    Errors: FileNotFoundError and NotADirectoryError for the source or the root.
    """
    with source(order.source) as ours, descent(order.root) as way:
        surveyor = _Surveyor(ours, order, shipped, way, remember=remember)
        return surveyor.run()


class _Surveyor:
    def __init__(
        self, ours: Source, order: Order, shipped: Shipped, way: Descent, *, remember: bool
    ) -> None:
        self.source, self.order, self.shipped, self.way = ours, order, shipped, way
        self.remember = remember
        self.regular = stat.S_IFREG | order.rule.files
        self.found = Survey(left_out=ours.left_out)
        self.waiting = [Pair("", "", there=True)]
        self.staying: set[str] = set()
        """Directories in which something stays that is not ours to remove."""

    def run(self) -> Survey:
        while self.waiting:
            pair = self.waiting.pop()
            wanted = {} if pair.real is None else self.source.originals(pair.real)
            there = self._there(pair.folder) if pair.there else {}
            self._wanted(pair, wanted, there)
            self._unwanted(pair, wanted, there)
        leaving = [path for path in self.found.surplus_folders if path not in self.staying]
        self.found.surplus_folders = leaving
        return self.found

    def _there(self, folder: str) -> dict[str, os.stat_result]:
        """Name → what is in the copy; dotfiles are nobody's business here."""
        fd, _ = self.way.to(folder)
        readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
        found = {}
        try:
            for name in sorted(os.listdir(readable)):
                if not name.startswith("."):
                    with suppress(FileNotFoundError):
                        found[name] = os.stat(name, dir_fd=readable, follow_symlinks=False)
                elif not is_ours(name):
                    self._stays(join(folder, name))
        finally:
            os.close(readable)
        return found

    def _stays(self, path: str) -> None:
        while path:
            path = parent(path)
            self.staying.add(path)

    def _wanted(self, pair: Pair, wanted: Mapping[str, Original], there: Names) -> None:
        compressed = any(name.endswith(COMPRESSED) for name in there)
        # A hundred thousand names come through here, and joining paths took a tenth of the time.
        above = f"{pair.folder}/" if pair.folder else ""
        for name, original in wanted.items():
            path, copy = above + name, there.get(name)
            if path in self.order.excluded:
                continue
            if copy is not None and not compressed and self._is_settled(path, original, copy):
                continue
            if original.is_directory:
                self._folder(pair, path, original, copy)
            else:
                self._file(path, original, copy)
                self._siblings(path, wanted, there)
        if pair.folder == "":
            for name in sorted(self.order.extra.keys() - wanted.keys()):
                self._extra(name, self.order.extra[name], there.get(name))

    def _is_settled(self, path: str, original: Original, copy: os.stat_result) -> bool:
        """The quick way out, for a file that nobody has touched since it was found right."""
        rule = self.order.rule
        if copy.st_mode != self.regular or (copy.st_uid, copy.st_gid) != (rule.uid, rule.gid):
            return False
        if not self.shipped.vouches(path, original.st, copy):
            return False
        self.found.total += 1
        if self.remember:
            self.found.rows[path] = self.shipped.rows[path]
        return True

    def _folder(
        self, pair: Pair, path: str, original: Original, there: os.stat_result | None
    ) -> None:
        linked = original.real != join(pair.real or "", path.rpartition("/")[2])
        if linked and pair.linked:
            # Linked directories in linked directories can be a maze without end.
            self.found.left_out.outside.add(path)
            return
        if there is None:
            self.found.folders.append(path)
        elif stat.S_ISDIR(there.st_mode):
            self._compare_owner(path, there)
        else:
            raise _in_the_way(join(self.order.root, path), "a directory")
        is_there = there is not None
        self.waiting.append(Pair(path, original.real, is_there, linked or pair.linked))

    def _file(self, path: str, original: Original, there: os.stat_result | None) -> None:
        size = original.st.st_size
        if self._is_there(path, there, size) and self._equal(path, original, there):
            self._right(path, original.signature, there)
            return
        known = self.shipped.knows_source(path, original.signature)
        self._copy(path, original.real, None, there, size, "host" if known else "source")

    def _extra(self, name: str, data: bytes, there: os.stat_result | None) -> None:
        if self._is_there(name, there, len(data)) and self._holds(name, data):
            self._right(name, Signature(len(data), 0, 0, 0), there)
            return
        known = self.shipped.digest(name) == sha256(data).digest()
        self._copy(name, "", data, there, len(data), "host" if known else "source")

    def _is_there(self, path: str, there: os.stat_result | None, size: int) -> bool:
        """Whether a file of the right size is; the total counts every file asked about."""
        self.found.total += 1
        if there is not None and stat.S_ISDIR(there.st_mode):
            raise _in_the_way(join(self.order.root, path), "a file")
        return there is not None and stat.S_ISREG(there.st_mode) and there.st_size == size

    def _right(self, path: str, original: Signature, there: os.stat_result | None) -> None:
        if there is None:
            return
        self._compare_owner(path, there)
        if self.remember:
            self.found.rows[path] = row(original, Signature.of(there), self.shipped.digest(path))

    def _copy(
        self, path: str, real: str, data: bytes | None, there: os.stat_result | None,
        size: int, moved: Moved,
    ) -> None:  # fmt: skip
        old_size = 0 if there is None else there.st_size
        self.found.copies.append(Copy(path, real, data, there is None, old_size, size, moved))

    def _equal(self, path: str, original: Original, there: os.stat_result | None) -> bool:
        if there is None:
            return False
        if self.shipped.vouches(path, original.st, there):
            return True
        with self.source.opened(original.real) as ours, self._opened(path) as copy:
            return _same(ours, copy)

    def _holds(self, path: str, data: bytes) -> bool:
        with self._opened(path) as fd:
            return os.pread(fd, len(data) + 1, 0) == data

    @contextmanager
    def _opened(self, path: str) -> Iterator[int]:
        folder, _, name = path.rpartition("/")
        fd, guard = self.way.to(folder)
        with opened(Entry(path, fd, name, guard)) as file:
            yield file

    def _siblings(self, path: str, wanted: Mapping[str, Original], there: Names) -> None:
        """A compressed copy older than its file, or of one that will change, is served stale."""
        name = path.rpartition("/")[2]
        changes = bool(self.found.copies) and self.found.copies[-1].path == path
        for suffix in COMPRESSED:
            sibling, file = there.get(name + suffix), there.get(name)
            if sibling is None or name + suffix in wanted:
                continue
            if changes or file is None or sibling.st_mtime_ns < file.st_mtime_ns:
                self.found.stale[path + suffix] = None

    def _unwanted(self, pair: Pair, wanted: Mapping[str, Original], there: Names) -> None:
        known = wanted.keys() | (self.order.extra.keys() if pair.folder == "" else frozenset())
        for name in sorted(there.keys() - known):
            path = join(pair.folder, name)
            if path in self.order.excluded:
                self._stays(path)
            elif path not in self.found.stale:
                self._surplus(path, there[name])

    def _surplus(self, path: str, st: os.stat_result) -> None:
        """What the source does not have: removed if that is asked for, else only kept right."""
        is_directory = stat.S_ISDIR(st.st_mode)
        if is_directory:
            self.waiting.append(Pair(path, None, there=True))
        if self.order.prune:
            going = self.found.surplus_folders if is_directory else self.found.surplus
            going.append(path)
            return
        if not is_directory:
            self.found.others.add(path)
        self._compare_owner(path, st)

    def _compare_owner(self, path: str, st: os.stat_result) -> None:
        rule, is_directory = self.order.rule, stat.S_ISDIR(st.st_mode)
        mode = rule.dirs if is_directory else rule.files
        wanted = (rule.uid, rule.gid, mode)
        if (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == wanted:
            return
        if not is_directory and not stat.S_ISREG(st.st_mode):
            return
        _, guard = self.way.to(parent(path))
        sheltered = guard == "closed"
        linked = not is_directory and st.st_nlink > 1
        if linked or not (sheltered or givable(st.st_uid, rule.uid)):
            self.found.withheld.add(path)
            return
        self.found.deviations.append(Deviation(
            path, is_directory, st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode),
            st.st_ino, st.st_ctime_ns, sheltered,
        ))  # fmt: skip


def _same(one: int, other: int) -> bool:
    offset = 0
    while True:
        mine, theirs = os.pread(one, CHUNK, offset), os.pread(other, CHUNK, offset)
        if mine != theirs:
            return False
        if not mine:
            return True
        offset += len(mine)


def _in_the_way(path: str, wanted: str) -> HostError:
    return HostError(
        what=f"{path} is in the way: the source has {wanted} there",
        why="it is of another kind, and not reconcile's to remove",
        fix="Move it away, or rename it in the source.",
    )
