"""A directory of the source beside its copy: what differs, name by name.

Memory follows what differs. A file that is as it was when last found right is
not opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from reconcile.filesystem.compress import COMPRESSED
from reconcile.filesystem.openat import NOTHING, Descent, Listing
from reconcile.filesystem.path import is_ours, join, parent
from reconcile.filesystem.sync.compare_file import Judge, in_the_way
from reconcile.filesystem.sync.manifest import Signature, SyncManifest
from reconcile.filesystem.sync.precompressed import Siblings
from reconcile.filesystem.sync.quick_check import Quick, stem
from reconcile.filesystem.sync.source import Original, Source
from reconcile.filesystem.sync.sync_diff import Copy, Moved, SyncDiff, SyncRequest

if TYPE_CHECKING:
    from reconcile.filesystem.parallel import Tally


from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from reconcile.filesystem.openat import descent
from reconcile.filesystem.parallel import ReaderDied, alone, divide, readers, together
from reconcile.filesystem.sync.source import source

if TYPE_CHECKING:
    from reconcile.filesystem.parallel import Tally


HUGE = 1 << 20
"""Bytes of a directory itself above which its names are divided among the readers."""

Names = Mapping[str, os.stat_result]
"""Name → what is in the copy."""


class Pair(NamedTuple):
    """A directory of the copy and its original's real path; None where it lacks either.

    `linked`: reached through a symlink in the source. Of a huge one a reader takes
    every `of`th name, and compressed siblings with their files.
    """

    folder: str
    real: str | None
    there: bool
    linked: bool = False
    part: int = 0
    of: int = 1

    def takes(self, name: str) -> bool:
        return self.of == 1 or hash(stem(name)) % self.of == self.part


WHOLE = Pair("", "", there=True)


class Comparison:
    """Gathers in `found` what differs in the directories that it looks at."""

    def __init__(
        self,
        ours: Source,
        order: SyncRequest,
        shipped: SyncManifest,
        way: Descent,
        *,
        remember: bool,
        tally: Tally | None,
    ) -> None:
        self.source, self.order, self.shipped, self.way = ours, order, shipped, way
        self.tally = tally
        self.judge = Judge(ours, order, shipped, way, remember=remember)
        self.siblings = Siblings(self.judge)
        self.below: list[Pair] = []
        self.looked = 0

    @property
    def found(self) -> SyncDiff:
        return self.judge.found

    def look_below(self, pairs: Iterable[Pair]) -> SyncDiff:
        """What differs in these and in all that is below them."""
        self.judge.begin_anew()
        for pair in pairs:
            waiting = [pair]
            while waiting:
                waiting += self.look(waiting.pop())
        return self.found

    def look(self, pair: Pair) -> list[Pair]:
        """Compare one directory; those that are below it."""
        self.below, self.siblings.wanted = [], set()
        with self._original(pair) as ours, self._copy_of(pair) as copy:
            own, there = self._names(pair, ours), self._names(pair, copy)
            done = self._settled(pair, ours, copy)
            left = sorted(own - done)
            wanted = {} if pair.real is None else self.source.originals(pair.real, ours, left)
            stats = self._stats(pair, copy, sorted(there - done))
        self._wanted(pair, wanted, stats, own)
        if pair.folder == "":
            self._extras(pair, wanted.keys() | done, stats)
        self._unwanted(pair, wanted, stats)
        self.looked += len(own) + len(there)
        if self.tally is not None:
            self.tally.add(len(own) + len(there))
        return self.below

    def is_huge(self, pair: Pair) -> bool:
        sizes = [self.way.size(pair.folder)] if pair.there else []
        sizes += [] if pair.real is None else [self.source.size(pair.real)]
        return max(sizes) > HUGE

    def _original(self, pair: Pair) -> AbstractContextManager[Listing]:
        return nullcontext(NOTHING) if pair.real is None else self.source.listing(pair.real)

    def _copy_of(self, pair: Pair) -> AbstractContextManager[Listing]:
        return self.way.listing(pair.folder) if pair.there else nullcontext(NOTHING)

    @staticmethod
    def _names(pair: Pair, at: Listing) -> set[str]:
        return set(at.names if pair.of == 1 else filter(pair.takes, at.names))

    def _settled(self, pair: Pair, ours: Listing, copy: Listing) -> set[str]:
        """The names that need no closer look."""
        if ours is NOTHING or copy is NOTHING:
            return set()
        rows = self.shipped.rows.inside(pair.folder)
        if pair.of > 1:
            rows = (one for one in rows if pair.takes(one[0]))
        done = Quick(ours, copy, self.order, self.shipped.settled_ns).settled(rows)
        if self.order.excluded:
            done = {name for name in done if join(pair.folder, name) not in self.order.excluded}
        self.found.total += len(done.intersection(copy.names))
        if self.judge.remember:
            self.found.settled += [join(pair.folder, name) for name in done]
        return done

    def _stats(self, pair: Pair, copy: Listing, names: Iterable[str]) -> dict[str, os.stat_result]:
        """Name → what is in the copy; dotfiles are nobody's business here."""
        found = {}
        for name in names:
            if not name.startswith("."):
                with suppress(FileNotFoundError):
                    found[name] = os.stat(name, dir_fd=copy.fd, follow_symlinks=False)
            elif not is_ours(name):
                self._stays(join(pair.folder, name))
        return found

    def _stays(self, path: str) -> None:
        while path:
            path = parent(path)
            self.found.staying.add(path)

    def _wanted(
        self, pair: Pair, wanted: Mapping[str, Original], there: Names, own: Collection[str]
    ) -> None:
        for name, original in wanted.items():
            path = join(pair.folder, name)
            if path in self.order.excluded:
                continue
            if original.is_directory:
                self._folder(pair, path, original, there.get(name))
            else:
                changes = self._file(path, original, there.get(name))
                self.siblings.look(path, original, there, own, changes=changes)

    def _extras(self, pair: Pair, shipped: Collection[str], there: Names) -> None:
        for name, data in sorted(self.order.extra.items()):
            if name not in shipped and pair.takes(name):
                self._extra(name, data, there.get(name))

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
            self.judge.compare_owner(path, there)
        else:
            raise in_the_way(join(self.order.root, path), "a directory")
        self.below.append(Pair(path, original.real, there is not None, linked or pair.linked))

    def _file(self, path: str, original: Original, there: os.stat_result | None) -> bool:
        """Whether it has to be written."""
        size = original.st.st_size
        if self.judge.is_there(path, there, size) and self.judge.is_equal(path, original, there):
            self.judge.right(path, original.signature, there)
            return False
        self.judge.differs(path, original, there)
        return True

    def _extra(self, name: str, data: bytes, there: os.stat_result | None) -> None:
        if self.judge.is_there(name, there, len(data)) and self.judge.holds(name, data):
            self.judge.right(name, Signature(len(data), 0, 0, 0), there)
            return
        known = self.shipped.digest(name) == sha256(data).digest()
        moved: Moved = "host" if known else "source"
        is_new, old_size = there is None, 0 if there is None else there.st_size
        self.found.copies.append(Copy(name, "", data, is_new, old_size, len(data), moved))

    def _unwanted(self, pair: Pair, wanted: Mapping[str, Original], there: Names) -> None:
        known = wanted.keys() | self.siblings.wanted
        known |= self.order.extra.keys() if pair.folder == "" else frozenset()
        for name in sorted(there.keys() - known):
            path = join(pair.folder, name)
            if path in self.order.excluded:
                self._stays(path)
            elif name.endswith(COMPRESSED) and self.siblings.is_made(path, there[name]):
                self.found.stale[path] = "unasked"
            elif path not in self.found.stale:
                self._surplus(path, there[name])

    def _surplus(self, path: str, st: os.stat_result) -> None:
        """What the source does not have: removed if that is asked for, else only kept right."""
        is_directory = stat.S_ISDIR(st.st_mode)
        if is_directory:
            self.below.append(Pair(path, None, there=True))
        if self.order.prune:
            going = self.found.surplus_folders if is_directory else self.found.surplus
            going.append(path)
            return
        if not is_directory:
            self.found.others.add(path)
        self.judge.compare_owner(path, st)


Look = Callable[[Iterator[Pair]], SyncDiff]


def survey(
    order: SyncRequest, shipped: SyncManifest, *, remember: bool = False, tally: Tally | None = None
) -> SyncDiff:
    """Compare; changes nothing. `remember` fills `settled` and `rows`, `tally` is told how far.

    Errors: FileNotFoundError and NotADirectoryError for the source or the root.
    """
    try:
        return _survey(order, shipped, together, remember=remember, tally=tally)
    except ReaderDied:
        # Whatever stopped the other one we meet ourselves, and can tell it.
        return _survey(order, shipped, alone, remember=remember, tally=tally)


def _survey(
    order: SyncRequest,
    shipped: SyncManifest,
    by: Callable[[Sequence[Pair], Look], list[SyncDiff]],
    *,
    remember: bool,
    tally: Tally | None,
) -> SyncDiff:
    with source(order.source) as ours, descent(order.root) as way:
        comparison = Comparison(ours, order, shipped, way, remember=remember, tally=tally)

        def below(pair: Pair) -> Iterable[Pair]:
            if readers() > 1 and comparison.is_huge(pair):
                return [pair._replace(part=part, of=readers()) for part in range(readers())]
            return comparison.look(pair)

        shares = divide(WHOLE, below, lambda pair: pair.of > 1, lambda: comparison.looked)
        found = comparison.found
        for other in by(shares, comparison.look_below):
            found.merge(other)
        return found.in_order()
