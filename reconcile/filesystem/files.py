"""The files of this machine, read and changed by descriptor; errors are HostErrors."""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from reconcile.filesystem import access_check, access_walk, acl, permissions_fix, read, write
from reconcile.filesystem.access_check import Account
from reconcile.filesystem.access_walk import AccessWalk
from reconcile.filesystem.acl import GrantChange, GrantChanges
from reconcile.filesystem.code.code_scope import CodeScope
from reconcile.filesystem.code.read_code import CodeFile, KnownCode, read_code
from reconcile.filesystem.host_error import HostError, explained
from reconcile.filesystem.inode import Ownership, Stat
from reconcile.filesystem.inode_flags import changing
from reconcile.filesystem.mount import mount_points
from reconcile.filesystem.parallel import ProgressCounter
from reconcile.filesystem.permissions import PermissionDeviation, PermissionPolicy
from reconcile.filesystem.place import Location, Locator, locate
from reconcile.filesystem.place_guard import PlaceGuard
from reconcile.filesystem.publishable import read_publishable
from reconcile.filesystem.release import folder as release_folder
from reconcile.filesystem.release.listing import ReleaseListing, content_digest, list_source
from reconcile.filesystem.release.unfetched import Unfetched, find_unfetched
from reconcile.filesystem.safe_path import first_untrusted_above
from reconcile.filesystem.scan import scan
from reconcile.filesystem.scan_result import Scan
from reconcile.filesystem.state_dir import StateDir
from reconcile.filesystem.sync.compare_tree import compare_tree
from reconcile.filesystem.sync.copy import remove_synced, sync, with_digests
from reconcile.filesystem.sync.copy_progress import OnProgress
from reconcile.filesystem.sync.manifest import SyncManifest
from reconcile.filesystem.sync.sync_diff import SyncDiff, SyncRequest
from reconcile.filesystem.undo import Recorder

NOTHING_SPARED: Mapping[str, str] = {}
LIMIT = 16 << 20
"""Bytes above which a file is no configuration, and is not read into memory."""


class FilesContext(Protocol):
    """What reading and changing files needs of the machine."""

    recorder: Recorder | None
    """Gets the undo record of each change before the change happens; None: no undo."""
    scan_progress: ProgressCounter | None
    on_copy_progress: OnProgress | None
    guard: PlaceGuard
    """Refuses contents to be written or removed where other people's data lies."""

    @property
    def state(self) -> StateDir:
        """Where the manifests of copies are stored."""


class Files:
    """Every path is absolute; names may hold any byte (surrogateescape).

    Reading changes nothing. Each changing method records its undo before it acts.
    Errors: HostError.
    """

    def __init__(self, context: FilesContext) -> None:
        self._context = context

    def is_planned(self, path: str) -> bool:  # noqa: ARG002
        """Whether a plan changes `path`; never but in a planned world."""
        return False

    def is_new(self, path: str) -> bool:  # noqa: ARG002
        """Whether `path` is absent, and a plan creates it."""
        return False

    def is_behind_new_link(self, path: str) -> bool:  # noqa: ARG002
        """Whether a link is planned in the place of a directory at or above `path`."""
        return False

    def planned_names(self, directory: str) -> frozenset[str]:  # noqa: ARG002
        """The names in `directory` that a plan writes or removes."""
        return frozenset()

    def rewritten_below(self, folder: str) -> frozenset[str]:  # noqa: ARG002
        """The causes for which a plan gives files below `folder` another content."""
        return frozenset()

    def stat(self, path: str, *, follow: bool = False) -> Stat | None:
        """The facts of `path`, None where absent; `follow`: of what it safely points to."""
        with explained(f"{path} cannot be examined"):
            return read.stat_of(path, follow=follow)

    def content(self, path: str, limit: int = LIMIT) -> tuple[Stat, bytes] | None:
        """A file's facts and bytes from one descriptor, None where absent."""
        try:
            with explained(f"{path} cannot be read"):
                return read.read_content(path, limit)
        except HostError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return None
            raise

    def read(self, path: str, limit: int = LIMIT) -> bytes:
        """The bytes of the file that `path` is or safely points to."""
        with explained(f"{path} cannot be read"):
            return read.read_content(path, limit)[1]

    def read_publishable(self, path: str, limit: int = LIMIT) -> tuple[Stat, bytes | None]:
        """The facts and bytes of a file to publish.

        No bytes where those who can have put it there could not read it.
        """
        with explained(f"{path} cannot be read"):
            return read_publishable(path, limit)

    def part(self, path: str, start: int, length: int) -> bytes:
        """The bytes of a file from `start`, at most `length` of them."""
        with explained(f"{path} cannot be read"):
            return read.read_part(path, start, length)

    def code(self, scope: CodeScope, known: KnownCode) -> dict[str, CodeFile]:
        """The files that a process is made of; {} where their folder is absent."""
        with explained(f"the code in {scope.folder} cannot be read"):
            return read_code(scope, known, scope.folder)

    def readlink(self, path: str) -> str:
        """The target of the symlink `path`."""
        with explained(f"{path} cannot be read as a symlink"):
            return read.readlink(path)

    def listdir(self, path: str, *, helpers: bool = False) -> list[str]:
        """Names sorted by bytes; reconcile's temporary and backup files only with `helpers`."""
        with explained(f"{path} cannot be listed"):
            return read.listdir(path, helpers=helpers)

    def glob(self, pattern: str) -> list[str]:
        """What glob(3) lists in the C locale: sorted by bytes, `*` without dotfiles."""
        with explained(f"{pattern} cannot be expanded"):
            return read.glob(pattern)

    def untrusted_above(self, path: str) -> tuple[str, Stat] | None:
        """The topmost directory above `path` that somebody else can write; not `path` itself."""
        with explained(f"the directories above {path} cannot be examined"):
            found = first_untrusted_above(path)
        return None if found is None else (found[0], Stat.of(found[1]))

    def locations(self, paths: Iterable[str]) -> dict[str, Location]:
        """Where each of the directories `paths` really lies."""
        locator = Locator()
        with explained("the places of protected directories cannot be examined"):
            return {path: locate(path, locator) for path in paths}

    def access(self, path: str, account: Account, *, follow: bool = True) -> AccessWalk:
        """What `account` can do with each component of `path`; `follow`: a link at its end too."""
        with explained(f"{path} cannot be examined"):
            return access_walk.walk_as(path, account, follow=follow)

    def names_for(self, path: str, account: Account, most: int) -> list[str]:
        """At most `most` names in the directory that `account` has at this physical path."""
        with explained(f"{path} cannot be listed"):
            return access_walk.names_for(path, account, most)

    def may_access(self, path: str, accounts: Sequence[Account], want: int) -> list[bool]:
        """For each account whether it has all bits of `want` on the inode itself."""
        with explained(f"{path} cannot be examined"):
            return access_check.may_access(path, accounts, want)

    def identity(self, path: str) -> str:
        """`sha256:…` of a file's content, `link:…` with a symlink's target; "" where absent."""
        with explained(f"{path} cannot be read"):
            return read.identity_of(path)

    def write(
        self,
        path: str,
        data: bytes,
        *,
        uid: int,
        gid: int,
        mode: int,
        expected: str | None = None,
    ) -> None:
        """Give `path` this content, owner and mode: old or new, never torn, durable.

        `expected` is its `identity` as observed. Errors: ChangedSincePlan where that differs.
        """
        recorder, guard = self._context.recorder, self._context.guard
        with changing(path, "written"):
            write.write(
                recorder,
                path,
                data,
                uid=uid,
                gid=gid,
                mode=mode,
                expected=expected,
                guard=guard,
            )

    def symlink(self, path: str, target: str, expected: str | None = None) -> None:
        """Make `path` a symlink to `target`, in place of a file or symlink; see `write`."""
        with changing(path, "linked"):
            write.symlink(self._context.recorder, path, target, expected, guard=self._context.guard)

    def unlink(self, path: str, expected: str | None = None) -> None:
        """Remove a file or symlink; nothing to do where it is gone. See `write`."""
        with changing(path, "removed"):
            write.unlink(self._context.recorder, path, expected, guard=self._context.guard)

    def mkdir(self, path: str, *, uid: int, gid: int, mode: int) -> None:
        """Create a directory in an existing one."""
        with changing(path, "created"):
            write.mkdir(self._context.recorder, path, uid=uid, gid=gid, mode=mode)

    def rmdir(self, path: str) -> bool:
        """Remove a directory; False where it is not empty, and then it stays."""
        with changing(path, "removed"):
            return write.rmdir(self._context.recorder, path, self._context.guard)

    def set_permissions(
        self, path: str, *, uid: int, gid: int, mode: int, expected: Stat | None = None
    ) -> None:
        """Give a file or directory this owner and exactly this mode.

        Where somebody else can write, root's inodes are refused, not given away; but for the
        inode that is `expected`, which `refuse_giving` has checked.
        Errors: ChangedSincePlan where it does not have the `expected` owner and mode.
        """
        recorder = self._context.recorder
        with changing(path, "given its owner and mode"):
            write.set_permissions(recorder, path, uid=uid, gid=gid, mode=mode, expected=expected)

    def refuse_giving(self, path: str, wanted: Ownership) -> None:
        """Refuse what `set_permissions` would refuse to do on the disk. Errors: HostError."""
        with explained(f"{path} cannot be examined"):
            write.refuse_giving(path, wanted)

    def scan(self, root: str, policy: PermissionPolicy, excluded: Collection[str] = ()) -> Scan:
        """Compare owners and modes of everything below `root`; `excluded` are relative paths."""
        with explained(f"the tree below {root} cannot be examined"):
            return scan(root, policy, excluded, self._context.scan_progress)

    def fix_permissions(
        self, root: str, policy: PermissionPolicy, deviations: Sequence[PermissionDeviation]
    ) -> None:
        """Fix what a scan found; whatever is no longer that is left to the next plan."""
        with changing(root, "given its owners and modes"):
            permissions_fix.fix_permissions(self._context.recorder, root, policy, deviations)

    def still_deviating(
        self, root: str, policy: PermissionPolicy, deviations: Sequence[PermissionDeviation]
    ) -> list[PermissionDeviation]:
        """Those of `deviations` that still deviate and could be fixed."""
        with explained(f"the tree below {root} cannot be examined"):
            return permissions_fix.still_deviating(root, policy, deviations)

    def masked_grants(self, path: str, mode: int) -> tuple[GrantChange, ...]:
        """What the ACL of `path` grants by name, and would not with `mode`."""
        with explained(f"{path} cannot be examined"):
            return acl.masked_grants(path, mode)

    def masked_grants_below(
        self, root: str, policy: PermissionPolicy, deviations: Sequence[PermissionDeviation]
    ) -> Sequence[GrantChanges]:
        """The same for those of `deviations` that have an ACL, once they are fixed."""
        if not deviations:
            return ()
        with explained(f"the tree below {root} cannot be examined"):
            return list(acl.masked_grants_below(root, policy, deviations))

    def has_capabilities(self, path: str) -> bool:
        """Whether the file is a program with capabilities (setcap)."""
        with explained(f"{path} cannot be examined"):
            return acl.has_capabilities(path)

    def diff(self, request: SyncRequest) -> SyncDiff:
        """Compare a source folder with its copy."""
        with explained(f"{request.source} and {request.root} cannot be compared"):
            context, manifest = self._context, self.manifest(request.root)
            progress, guard = context.scan_progress, context.guard
            return compare_tree(request, manifest, progress=progress, guard=guard)

    def with_digests(self, request: SyncRequest, found: SyncDiff) -> SyncDiff:
        """`found` with the digest of each content that will be copied."""
        with explained(f"{request.source} cannot be read"):
            return with_digests(request, found, self._context.guard)

    def sync(self, request: SyncRequest, found: SyncDiff) -> None:
        """Do exactly what `diff` found, and record it in the manifest.

        Errors: ChangedSincePlan where source or copy are not as they were found.
        """
        context = self._context
        with changing(request.root, f"synced from {request.source}"):
            sync(
                context.recorder,
                self.manifest(request.root),
                request,
                found,
                context.on_copy_progress,
                context.guard,
            )

    def record_dropped(self, root: str, dropped: Mapping[str, float]) -> None:
        """Record when the source dropped what is kept in `root`."""
        self.manifest(root).record_dropped(self._context.recorder, dropped)

    def record_written(self, root: str, files: Mapping[str, str], folders: Collection[str]) -> None:
        """Record as copied to `root` the relative `files` that hold what was written still."""
        with explained(f"the record of {root} cannot be written"):
            self.manifest(root).record_written(files, folders)

    def release_listing(self, source: str, excluded: Collection[str] = ()) -> ReleaseListing:
        """The files of a source that a release is made of."""
        with explained(f"the source of the release, {source}, cannot be read"):
            return list_source(source, excluded, self._context.guard)

    def release_content(self, listing: ReleaseListing) -> str:
        """The digest of all that a release is made of."""
        with explained(f"the source of the release, {listing.source}, cannot be read"):
            return content_digest(listing, self._context.guard)

    def release_unfetched(self, listing: ReleaseListing) -> Unfetched:
        """What stands for content that Git has not fetched into the source."""
        with explained(f"the source of the release, {listing.source}, cannot be read"):
            return find_unfetched(listing, self._context.guard)

    def release_names(self, folder: str) -> list[str]:
        """The releases in `folder`, complete or not."""
        with explained(f"{folder} cannot be listed"):
            return release_folder.names_of_releases(folder)

    def is_release_complete(self, path: str, uid: int) -> bool:
        """Whether the release at `path` had all of its steps, and belongs to `uid`."""
        with explained(f"{path} cannot be examined"):
            return release_folder.is_complete(path, uid)

    def fill_release(self, path: str, listing: ReleaseListing, uid: int, gid: int) -> None:
        """Create the release at `path` anew, incomplete, for `uid` to work in; never undone."""
        with changing(path, "filled"):
            release_folder.fill(path, listing, uid, gid, self._context.guard)

    def seal_release(self, path: str, uid: int, gid: int) -> None:
        """Make the release ours, complete, and readable for `gid`."""
        with changing(path, "given to root"):
            release_folder.seal(path, uid, gid)

    def remove_release(self, path: str) -> None:
        """Remove a release and all that is in it; never undone."""
        with changing(path, "removed"):
            release_folder.remove(path, self._context.guard)

    def mount_points(self, path: str) -> tuple[str, ...]:
        """Where something is mounted below `path`, relative to it, and at it as ""."""
        with explained(f"the mounts below {path} cannot be read"):
            return mount_points(path)

    def manifest(self, root: str) -> SyncManifest:
        """What `sync` wrote to `root`, as recorded."""
        return SyncManifest(self._context.state, root, self._context.guard)

    def remove_synced(self, root: str, spared: Mapping[str, str] = NOTHING_SPARED) -> None:
        """Remove what `sync` wrote and nobody has changed since, then empty directories of it.

        `spared` are relative paths that stay, each with the root of the copy that holds it
        from now on, or "" for none.
        """
        manifest, context = self.manifest(root), self._context
        with changing(root, "cleared"):
            for heir in sorted({heir for heir in spared.values() if heir}):
                held = [path for path, holder in spared.items() if holder == heir]
                self.manifest(heir).take_over(context.recorder, manifest, held)
            if self.stat(root, follow=True) is None:
                manifest.delete(context.recorder)
            else:
                remove_synced(context.recorder, manifest, root, spared, context.guard)
