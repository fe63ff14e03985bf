"""The quick check: skip files that nobody has changed since they were found to match."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping

from reconcile.filesystem.compress import COMPRESSED, SUFFIXES, is_worth
from reconcile.filesystem.openat import Listing
from reconcile.filesystem.sync.manifest_row import COPY, GENERATED, HALF, ORIGINAL, SIGNATURES
from reconcile.filesystem.sync.sync_diff import SyncRequest

KNOWN = SIGNATURES.size
ABSENT = HALF.pack(0, 0, 0, 0)


def original_name(name: str) -> str:
    """Of a compressed sibling the name of the file that it is made of."""
    return name.rpartition(".")[0] if name.endswith(COMPRESSED) else name


class QuickCheck:
    """One directory of the source, that of the copy, and what all files in it must be."""

    def __init__(
        self, source: Listing, copy: Listing, request: SyncRequest, racy_from_ns: int
    ) -> None:
        self.source, self.copy = source, copy
        self.request, self.racy_from_ns = request, racy_from_ns
        self.source_names = frozenset(source.names)
        self.suffixes = tuple(SUFFIXES[one] for one in request.precompress)

    def unchanged(self, rows: Iterable[tuple[str, bytes]]) -> set[str]:
        """The names that need no comparison: a file together with its compressed siblings."""
        files, generated = self._unchanged_files(rows)
        siblings = {name for name in self.copy.names if name.endswith(COMPRESSED)}
        siblings -= self.source_names
        if not siblings and not self.request.precompress:
            return set(files)
        current = {name for name, row in generated.items() if self._is_current(name, row, files)}
        for name in siblings - current:
            files.pop(original_name(name), None)
        for name in [name for name, row in files.items() if self._lacks(name, row, current)]:
            del files[name]
        return files.keys() | {name for name in current if original_name(name) in files}

    def _unchanged_files(
        self, rows: Iterable[tuple[str, bytes]]
    ) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """Those that are in both exactly as recorded; and the rows of what was generated.

        The loop that a hundred thousand files go through. Neither file's kind need be
        checked: inode and ctime are those of the regular files that were compared.
        """
        lstat, pack, source, copy = os.stat, SIGNATURES.pack, self.source.fd, self.copy.fd
        policy, racy_from_ns = self.request.policy, self.racy_from_ns
        mode, uid, gid = stat.S_IFREG | policy.file_mode, policy.uid, policy.gid
        found, generated = dict[str, bytes](), dict[str, bytes]()
        for name, row in rows:
            if row[GENERATED]:
                generated[name] = row
                continue
            try:
                one = lstat(name, dir_fd=source, follow_symlinks=False)
                its = lstat(name, dir_fd=copy, follow_symlinks=False)
            except FileNotFoundError:
                continue
            if its[0] != mode or its[4] != uid or its[5] != gid or one[3] != 1:
                continue
            one_ctime, its_ctime = one.st_ctime_ns, its.st_ctime_ns
            if one_ctime >= racy_from_ns or its_ctime >= racy_from_ns:
                continue
            if row[:KNOWN] == pack(
                one[6],
                one.st_mtime_ns,
                one_ctime,
                one[1],
                its[6],
                its.st_mtime_ns,
                its_ctime,
                its[1],
            ):
                found[name] = row
        return found, generated

    def _is_current(self, name: str, row: bytes, files: Mapping[str, bytes]) -> bool:
        """Whether a generated file is requested, of what its original still is, and unmodified."""
        file = files.get(original_name(name))
        if file is None or not name.endswith(self.suffixes) or name in self.source_names:
            return False
        return row[ORIGINAL] == file[ORIGINAL] and self._is_unmodified(name, row)

    def _is_unmodified(self, name: str, row: bytes) -> bool:
        try:
            its = os.stat(name, dir_fd=self.copy.fd, follow_symlinks=False)
        except FileNotFoundError:
            return row[COPY] == ABSENT
        policy = self.request.policy
        wanted = (stat.S_IFREG | policy.file_mode, policy.uid, policy.gid)
        if (its.st_mode, its.st_uid, its.st_gid) != wanted or its.st_ctime_ns >= self.racy_from_ns:
            return False
        now = HALF.pack(its.st_size, its.st_mtime_ns, its.st_ctime_ns, its.st_ino)
        return row[COPY] == now

    def _lacks(self, name: str, row: bytes, current: set[str]) -> bool:
        """Whether a compressed sibling that is requested is not known to be current."""
        if not is_worth(name, HALF.unpack(row[ORIGINAL])[0]):
            return False
        names = (name + suffix for suffix in self.suffixes)
        return any(one not in current and one not in self.source_names for one in names)
