"""Files of this machine, read and changed by descriptor; errors are HostErrors."""

from __future__ import annotations

import errno
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from reconcile.filesystem import read
from reconcile.filesystem.host_error import HostError, explained
from reconcile.filesystem.inode import Stat
from reconcile.filesystem.inode_flags import changing
from reconcile.filesystem.safe_path import first_untrusted_above, pin_directory

if TYPE_CHECKING:
    from reconcile.filesystem.access_check import AccessWalk
    from reconcile.filesystem.acl import GrantChange, GrantChanges
    from reconcile.filesystem.inode import RealLocation
    from reconcile.filesystem.permissions import PermissionDeviation, PermissionPolicy
    from reconcile.filesystem.scan_result import Scan
    from reconcile.filesystem.sync.manifest import SyncManifest
    from reconcile.filesystem.sync.sync_diff import SyncDiff, SyncRequest
    from reconcile.system import Host
    from reconcile.system.accounts import Account

LIMIT = 16 << 20
"""Bytes above which a file is no configuration, and is not read into memory."""


class Files:
    """Every path is absolute; names may hold any byte (surrogateescape).

    Readers change nothing. Each changing method tells the recorder, where there
    is one, how it is taken back before it acts. Errors: HostError.
    """

    def __init__(self, host: Host) -> None:
        self._host = host

    def stat(self, path: str, *, follow: bool = False) -> Stat | None:
        """What `path` is, None where absent; `follow`: of what it safely points to."""
        with explained(f"{path} cannot be examined"):
            return read.stat_of(path, follow=follow)

    def content(self, path: str, limit: int = LIMIT) -> tuple[Stat, bytes] | None:
        """A file's facts and bytes from one descriptor, None where absent."""
        try:
            with explained(f"{path} cannot be read"):
                return read.content(path, limit)
        except HostError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return None
            raise

    def read(self, path: str, limit: int = LIMIT) -> bytes:
        """The bytes of the file that `path` is or safely points to."""
        with explained(f"{path} cannot be read"):
            return read.content(path, limit)[1]

    def readlink(self, path: str) -> str:
        with explained(f"{path} cannot be read as a symlink"):
            return read.readlink(path)

    def listdir(self, path: str, *, helpers: bool = False) -> list[str]:
        """Names sorted by bytes; our own temporary and kept files only with `helpers`."""
        with explained(f"{path} cannot be listed"):
            return read.listdir(path, helpers=helpers)

    def glob(self, pattern: str) -> list[str]:
        """What glob(3) lists in the C locale: sorted by bytes, `*` without dotfiles."""
        with explained(f"{pattern} cannot be expanded"):
            return read.glob(pattern)

    def is_trusted_directory(self, path: str) -> bool:
        """Whether only root (or who runs this) can change names in the directory or above it."""
        with explained(f"{path} cannot be examined"), pin_directory(path) as (_, guard):
            return guard == "closed"

    def untrusted_above(self, path: str) -> tuple[str, Stat] | None:
        """The topmost directory on the way to `path` that somebody else may write; not itself."""
        with explained(f"what is above {path} cannot be examined"):
            found = first_untrusted_above(path)
        return None if found is None else (found[0], Stat.of(found[1]))

    def real_location(self, path: str) -> RealLocation:
        """The directory that `path` really is, and all that it lies in, nearest first."""
        from reconcile.filesystem.inode import real_location

        return real_location(path)

    def access(self, path: str, account: Account) -> AccessWalk:
        """What `account` may do with each component of `path`."""
        from reconcile.filesystem.access_check import walk_as

        with explained(f"{path} cannot be examined"):
            return walk_as(path, account)

    def may_access(self, path: str, accounts: Sequence[Account], want: int) -> list[bool]:
        """For each account whether it has all bits of `want` on the inode itself."""
        from reconcile.filesystem.access_check import may_access

        with explained(f"{path} cannot be examined"):
            return may_access(path, accounts, want)

    def write(self, path: str, data: bytes, *, uid: int, gid: int, mode: int) -> None:
        """Give `path` this content, owner and mode: old or new, never torn, durable."""
        from reconcile.filesystem import write

        with changing(path, "written"):
            write.write(self._host, path, data, uid, gid, mode)

    def symlink(self, path: str, target: str) -> None:
        """Make `path` a symlink to `target`, atomically in place of a file or symlink."""
        from reconcile.filesystem import write

        with changing(path, "linked"):
            write.symlink(self._host, path, target)

    def unlink(self, path: str) -> None:
        """Remove a file or symlink; nothing to do where it is gone."""
        from reconcile.filesystem import write

        with changing(path, "removed"):
            write.unlink(self._host, path)

    def mkdir(self, path: str, *, uid: int, gid: int, mode: int) -> None:
        """Make a directory in an existing one."""
        from reconcile.filesystem import write

        with changing(path, "made"):
            write.mkdir(self._host, path, uid, gid, mode)

    def rmdir(self, path: str) -> bool:
        """Remove a directory; False where anything is in it, which then stays."""
        from reconcile.filesystem import write

        with changing(path, "removed"):
            return write.rmdir(self._host, path)

    def set_permissions(self, path: str, *, uid: int, gid: int, mode: int) -> None:
        """Give a file or directory this owner and exactly this mode.

        Where somebody else may write, root's inodes are refused, not given away.
        """
        from reconcile.filesystem import write

        with changing(path, "given its owner and mode"):
            write.set_meta(self._host, path, uid, gid, mode)

    def scan(self, root: str, rule: PermissionPolicy, excluded: Collection[str] = ()) -> Scan:
        """Compare owners and modes of everything below `root`; `excluded` are relative paths."""
        from reconcile.filesystem.scan import scan

        with explained(f"what is below {root} cannot be examined"):
            return scan(root, rule, excluded, self._host.scan_progress)

    def fix_permissions(
        self, root: str, rule: PermissionPolicy, deviations: Sequence[PermissionDeviation]
    ) -> None:
        """Put right what a scan found; whatever is not provably that is left alone."""
        from reconcile.filesystem.permissions import fix_permissions

        with changing(root, "given its owners and modes"):
            fix_permissions(self._host, root, rule, deviations)

    def masked_grants(self, path: str, mode: int) -> tuple[GrantChange, ...]:
        """What the access list of `path` grants by name, and would not once it had `mode`."""
        from reconcile.filesystem.acl import masked_grants

        with explained(f"{path} cannot be examined"):
            return masked_grants(path, mode)

    def masked_grants_below(
        self, root: str, rule: PermissionPolicy, deviations: Sequence[PermissionDeviation]
    ) -> Sequence[GrantChanges]:
        """The same of those of `deviations` that have such a list, once they are mended."""
        if not deviations:
            return ()
        from reconcile.filesystem.acl import masked_grants_below

        with explained(f"what is below {root} cannot be examined"):
            return list(masked_grants_below(root, rule, deviations))

    def has_capabilities(self, path: str) -> bool:
        """Whether the file is a program with powers of its own (setcap)."""
        from reconcile.filesystem.acl import has_capabilities

        with explained(f"{path} cannot be examined"):
            return has_capabilities(path)

    def still_deviating(
        self, root: str, rule: PermissionPolicy, deviations: Sequence[PermissionDeviation]
    ) -> list[PermissionDeviation]:
        """Those of `deviations` that still deviate and could be mended."""
        from reconcile.filesystem.permissions import still_deviating

        with explained(f"what is below {root} cannot be examined"):
            return still_deviating(root, rule, deviations)

    def diff(self, order: SyncRequest) -> SyncDiff:
        """Compare a source folder with its copy."""
        from reconcile.filesystem.sync.compare_tree import compare_tree
        from reconcile.filesystem.sync.manifest import SyncManifest

        with explained(f"{order.source} and {order.root} cannot be compared"):
            return compare_tree(
                order, SyncManifest(self._host, order.root), tally=self._host.scan_progress
            )

    def source_digest(self, path: str) -> str:
        """`sha256:…` of all that would be shipped from the folder `path`."""
        from reconcile.filesystem.sync.source import digest_of_source

        with explained(f"{path} cannot be read"):
            return digest_of_source(path)

    def sync(self, order: SyncRequest) -> None:
        """Make the copy true, and remember what was written."""
        from reconcile.filesystem.sync.copy import sync

        with changing(order.root, f"made like {order.source}"):
            sync(self._host, order)

    def manifest(self, root: str) -> SyncManifest:
        """What was written to `root` by `ship`, as remembered."""
        from reconcile.filesystem.sync.manifest import SyncManifest

        return SyncManifest(self._host, root)

    def remove_synced(self, root: str) -> None:
        """Remove what `ship` wrote and nobody changed since, then empty directories of ours."""
        from reconcile.filesystem.sync.copy import remove_synced

        with changing(root, "cleared"):
            remove_synced(self._host, root)
