"""The quick way past files that nobody has touched since they were found right."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping

from reconcile.filesystem.compress import COMPRESSED, SUFFIXES, is_worth
from reconcile.filesystem.openat import Listing
from reconcile.filesystem.sync.manifest import COPY, GENERATED, HALF, ORIGINAL, SIGNATURES
from reconcile.filesystem.sync.sync_diff import SyncRequest

KNOWN = SIGNATURES.size
ABSENT = HALF.pack(0, 0, 0, 0)


def original_name(name: str) -> str:
    """Of a compressed sibling the name of the file that it is made of."""
    return name.rpartition(".")[0] if name.endswith(COMPRESSED) else name


class QuickCheck:
    """One directory and its original, and what all files in it have to be."""

    def __init__(self, ours: Listing, copy: Listing, order: SyncRequest, settled_ns: int) -> None:
        self.original, self.copy, self.request, self.racy_from_ns = ours, copy, order, settled_ns
        self.source_names = frozenset(ours.names)
        self.suffixes = tuple(SUFFIXES[one] for one in order.precompress)

    def unchanged(self, rows: Iterable[tuple[str, bytes]]) -> set[str]:
        """The names that need no closer look: a file together with its compressed siblings."""
        files, made = self._unchanged_files(rows)
        siblings = {name for name in self.copy.names if name.endswith(COMPRESSED)}
        siblings -= self.source_names
        if not siblings and not self.request.precompress:
            return set(files)
        right = {name for name, row in made.items() if self._is_right(name, row, files)}
        for name in siblings - right:
            files.pop(original_name(name), None)
        for name in [name for name, row in files.items() if self._lacks(name, row, right)]:
            del files[name]
        return files.keys() | {name for name in right if original_name(name) in files}

    def _unchanged_files(
        self, rows: Iterable[tuple[str, bytes]]
    ) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """Those that are in both exactly as they were seen; and the rows of what we made.

        The loop that a hundred thousand files go through. Neither file's kind need be
        asked: inode and ctime are those of the regular files that were compared.
        """
        look, pack, ours, copy = os.stat, SIGNATURES.pack, self.original.fd, self.copy.fd
        rule, settled_ns = self.request.policy, self.racy_from_ns
        regular, uid, gid = stat.S_IFREG | rule.file_mode, rule.uid, rule.gid
        found, made = dict[str, bytes](), dict[str, bytes]()
        for name, row in rows:
            if row[GENERATED]:
                made[name] = row
                continue
            try:
                one = look(name, dir_fd=ours, follow_symlinks=False)
                its = look(name, dir_fd=copy, follow_symlinks=False)
            except FileNotFoundError:
                continue
            if its[0] != regular or its[4] != uid or its[5] != gid or one[3] != 1:
                continue
            one_ctime, its_ctime = one.st_ctime_ns, its.st_ctime_ns
            if one_ctime >= settled_ns or its_ctime >= settled_ns:
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
        return found, made

    def _is_right(self, name: str, row: bytes, files: Mapping[str, bytes]) -> bool:
        """Whether what we made is asked for, of what its file still is, and untouched."""
        file = files.get(original_name(name))
        if file is None or not name.endswith(self.suffixes) or name in self.source_names:
            return False
        return row[ORIGINAL] == file[ORIGINAL] and self._is_untouched(name, row)

    def _is_untouched(self, name: str, row: bytes) -> bool:
        try:
            its = os.stat(name, dir_fd=self.copy.fd, follow_symlinks=False)
        except FileNotFoundError:
            return row[COPY] == ABSENT
        rule = self.request.policy
        wanted = (stat.S_IFREG | rule.file_mode, rule.uid, rule.gid)
        if (its.st_mode, its.st_uid, its.st_gid) != wanted or its.st_ctime_ns >= self.racy_from_ns:
            return False
        now = HALF.pack(its.st_size, its.st_mtime_ns, its.st_ctime_ns, its.st_ino)
        return row[COPY] == now

    def _lacks(self, name: str, row: bytes, right: set[str]) -> bool:
        """Whether a compressed sibling that is asked for is not known to be right."""
        if not is_worth(name, HALF.unpack(row[ORIGINAL])[0]):
            return False
        names = (name + suffix for suffix in self.suffixes)
        return any(one not in right and one not in self.source_names for one in names)
