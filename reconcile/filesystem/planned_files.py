"""The files of this machine as the planned changes will leave them."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from posixpath import join

from reconcile.filesystem.access_check import Account
from reconcile.filesystem.access_walk import AccessWalk
from reconcile.filesystem.acl import GrantChange, GrantChanges
from reconcile.filesystem.code.code_scope import CodeScope
from reconcile.filesystem.code.read_code import CodeFile, KnownCode, lay_over, read_code
from reconcile.filesystem.files import LIMIT, Files, FilesContext
from reconcile.filesystem.host_error import explained
from reconcile.filesystem.inode import FileKind, Ownership, Stat
from reconcile.filesystem.path import ancestors_top_down, is_inside, upwards
from reconcile.filesystem.permissions import PermissionDeviation, PermissionPolicy
from reconcile.filesystem.place import Location, Locator, locate
from reconcile.filesystem.planned_entry import ABSENT, FOLDER, Entry, Link
from reconcile.filesystem.planned_layer import PlannedLayer
from reconcile.filesystem.read import glob, listdir
from reconcile.filesystem.safe_path import DirectoryTrust, trust_given
from reconcile.filesystem.scan import scan
from reconcile.filesystem.scan_result import Scan
from reconcile.filesystem.sync.compare_tree import compare_tree
from reconcile.filesystem.sync.copy import with_digests
from reconcile.filesystem.sync.planned_source import PlannedSource
from reconcile.filesystem.sync.sync_diff import FileCopy, SyncDiff, SyncRequest


class PlannedFiles(Files):
    """Reads the disk with planned entries laid over it; a planned symlink is followed.

    What is planned counts as changed now: its times are later than those of any process.
    Only paths that a planned entry affects are read otherwise than by `Files`.
    """

    def __init__(self, context: FilesContext) -> None:
        super().__init__(context)
        self._layer = PlannedLayer(Files(context))
        self.rewritten: dict[str, str] = {}
        """Files with new content that is not laid over the disk, and the cause of each."""
        self._repermitted: set[str] = set()
        """Real paths whose owner and mode, or those of all below, will change."""
        self._untrusted: dict[str, tuple[str, Stat] | None] = {}
        """Directory → the topmost one, itself or above it, that somebody else can write."""
        self._at_ns = time.time_ns()

    @property
    def is_unchanged(self) -> bool:
        """Whether nothing is laid over the disk."""
        return not self._layer.entries

    def is_planned(self, path: str) -> bool:
        """See `Files.is_planned`."""
        return path in self._layer.entries

    def is_new(self, path: str) -> bool:
        """See `Files.is_new`."""
        return path in self._layer.entries and super().stat(path) is None

    def is_behind_new_link(self, path: str) -> bool:
        """See `Files.is_behind_new_link`."""
        return self._layer.is_behind_new_link(path)

    def planned_names(self, directory: str) -> frozenset[str]:
        """See `Files.planned_names`."""
        return frozenset(self._layer.touched.get(directory, ()))

    def plan(self, path: str, entry: Entry) -> None:
        """Lay one more entry over the disk."""
        self._layer.add(path, entry)

    def rewritten_below(self, folder: str) -> frozenset[str]:
        """See `Files.rewritten_below`."""
        planned = (
            (path, "pending") for path, entry in self._layer.entries.items() if entry is not FOLDER
        )
        return frozenset(
            cause
            for path, cause in (*planned, *self.rewritten.items())
            if is_inside(path, folder)
            or (isinstance(self._layer.entries.get(path), Link) and is_inside(folder, path))
        )

    def plan_ownership(self, path: str, ownership: Ownership) -> None:
        """Lay a directory's new owner and mode over the disk."""
        self._layer.given[os.path.realpath(self.locate(path))] = ownership

    def plan_permissions(self, path: str) -> None:
        """Expect other owners and modes, and so other ctimes, at `path` and below."""
        self._repermitted.add(os.path.realpath(self.locate(path)))

    def locate(self, path: str, *, follow: bool = True) -> str:
        """Where `path` will lead: unchanged unless a planned entry is met on the way."""
        return self._layer.locate(path, follow=follow)

    def stat(self, path: str, *, follow: bool = False) -> Stat | None:
        """See `Files.stat`; a planned file belongs to root."""
        located = self.locate(path, follow=follow)
        entry = self._layer.entry(located)
        if entry is ABSENT:
            return None
        if isinstance(entry, bytes):
            return self._planned_stat("file", len(entry), 0o644)
        if isinstance(entry, Link):
            return self._planned_stat("symlink", len(entry.target), 0o777)
        found = super().stat(located, follow=follow)
        if found is None:
            return None
        if given := self._given_to(located, found):
            found = replace(found, **given._asdict())
        if located in self._layer.touched:
            return replace(found, mtime_ns=self._at_ns, ctime_ns=self._at_ns)
        return found

    def _given_to(self, located: str, found: Stat) -> Ownership | None:
        if not self._layer.given or found.kind != "directory":
            return None
        return self._layer.given.get(os.path.realpath(located))

    def _planned_stat(self, kind: FileKind, size: int, mode: int) -> Stat:
        return Stat(kind, 0, 0, mode, size, self._at_ns, self._at_ns, 0, 0)

    def content(self, path: str, limit: int = LIMIT) -> tuple[Stat, bytes] | None:
        """See `Files.content`."""
        located = self.locate(path)
        entry = self._layer.entry(located)
        if entry is ABSENT:
            return None
        if isinstance(entry, bytes):
            return self._planned_stat("file", len(entry), 0o644), entry
        return super().content(located, limit)

    def read(self, path: str, limit: int = LIMIT) -> bytes:
        """See `Files.read`."""
        located = self.locate(path)
        entry = self._layer.entry(located)
        if isinstance(entry, bytes):
            return entry
        if entry is ABSENT:
            with explained(f"{path} cannot be read"):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return super().read(located, limit)

    def read_publishable(self, path: str, limit: int = LIMIT) -> tuple[Stat, bytes | None]:
        """See `Files.read_publishable`."""
        located = self.locate(path)
        entry = self._layer.entry(located)
        if isinstance(entry, bytes):
            return self._planned_stat("file", len(entry), 0o644), entry
        return super().read_publishable(located, limit)

    def code(self, scope: CodeScope, known: KnownCode) -> dict[str, CodeFile]:
        """See `Files.code`."""
        with explained(f"the code in {scope.folder} cannot be read"):
            found = read_code(scope, known, self.locate(scope.folder))
        lay_over(scope, found, self._layer.entries, self._layer.digests_below(scope.folder))
        return found

    def readlink(self, path: str) -> str:
        """See `Files.readlink`."""
        located = self.locate(path, follow=False)
        entry = self._layer.entry(located)
        return entry.target if isinstance(entry, Link) else super().readlink(located)

    def listdir(self, path: str, *, helpers: bool = False) -> list[str]:
        """See `Files.listdir`."""
        with explained(f"{path} cannot be listed"):
            return self._names(path, helpers=helpers)

    def _names(self, path: str, *, helpers: bool = False) -> list[str]:
        located = self.locate(path)
        if located not in self._layer.touched:
            return listdir(located, helpers=helpers)
        planned = self._layer.touched[located]
        try:
            names = set(listdir(located, helpers=helpers))
        except FileNotFoundError:
            names = set()
        names |= planned
        gone = {name for name in planned if self._layer.entries[join(located, name)] is ABSENT}
        return sorted(names - gone, key=os.fsencode)

    def glob(self, pattern: str) -> list[str]:
        """See `Files.glob`."""
        if not self._layer.entries:
            return super().glob(pattern)
        with explained(f"{pattern} cannot be expanded"):
            return glob(pattern, self._names, self._exists)

    def _exists(self, path: str) -> bool:
        return self.locate(path, follow=False) in self._layer.touched or self.stat(path) is not None

    def access(self, path: str, account: Account, *, follow: bool = True) -> AccessWalk:
        """See `Files.access`."""
        return super().access(self.locate(path), account, follow=follow)

    def may_access(self, path: str, accounts: Sequence[Account], want: int) -> list[bool]:
        """See `Files.may_access`."""
        return super().may_access(self.locate(path), accounts, want)

    def untrusted_above(self, path: str) -> tuple[str, Stat] | None:
        """See `Files.untrusted_above`."""
        above = self.locate(path).rpartition("/")[0]
        if above not in self._untrusted:
            self._untrusted[above] = super().untrusted_above(f"{above}/any")
        return self._untrusted[above]

    def refuse_giving(self, path: str, wanted: Ownership) -> None:
        """See `Files.refuse_giving`."""
        super().refuse_giving(self.locate(path), wanted)

    def masked_grants(self, path: str, mode: int) -> tuple[GrantChange, ...]:
        """See `Files.masked_grants`."""
        return super().masked_grants(self.locate(path), mode)

    def has_capabilities(self, path: str) -> bool:
        """See `Files.has_capabilities`."""
        return super().has_capabilities(self.locate(path))

    def locations(self, paths: Iterable[str]) -> dict[str, Location]:
        """See `Files.locations`."""
        with explained("the places of protected directories cannot be examined"):
            return {path: locate(self.locate(path), self._locator) for path in paths}

    @cached_property
    def _locator(self) -> Locator:
        """A plan mounts nothing: one reading of the table of mounts is enough."""
        return Locator()

    def scan(self, root: str, policy: PermissionPolicy, excluded: Collection[str] = ()) -> Scan:
        """See `Files.scan`."""
        located, progress = self.locate(root), self._context.scan_progress
        with explained(f"the tree below {root} cannot be examined"):
            return scan(located, policy, excluded, progress, self._planned_trust(located))

    def _planned_trust(self, directory: str) -> DirectoryTrust | None:
        """ "trusted" where the plan takes it from somebody; what it gives away is still trusted."""
        path = [*ancestors_top_down(real := os.path.realpath(directory)), real]
        if self._layer.given.keys().isdisjoint(path):
            return None
        trust: DirectoryTrust = "trusted"
        for one in path:
            found = super().stat(one)
            given = self._layer.given.get(one) or (found and found.ownership)
            trust = trust_given(given, trust) if given else trust
        return trust if trust == "trusted" else None

    def masked_grants_below(
        self, root: str, policy: PermissionPolicy, deviations: Sequence[PermissionDeviation]
    ) -> Sequence[GrantChanges]:
        """See `Files.masked_grants_below`."""
        return super().masked_grants_below(self.locate(root), policy, deviations)

    def diff(self, request: SyncRequest) -> SyncDiff:
        """See `Files.diff`."""
        source, root = self.locate(request.source), self.locate(request.root)
        with explained(f"{request.source} and {request.root} cannot be compared"):
            there = replace(request, source=source, root=root)
            manifest = self.manifest(request.root)
            progress, guard = self._context.scan_progress, self._context.guard
            trust = self._planned_trust(root)
            found = compare_tree(there, manifest, progress=progress, guard=guard, planned=trust)
            PlannedSource(there, found, manifest, super().stat, super().content).lay_over(
                self._layer.entries_below(source)
            )
            found.copies = self._bound_by_content(there, found)
        found.folders = [
            folder
            for folder in found.folders
            if self._layer.entries.get(join(root, folder)) is not FOLDER
        ]
        # An earlier change gives it that already.
        given = request.policy.ownership(is_directory=True)
        found.deviations = [
            one for one in found.deviations if self._layer.given.get(join(root, one.path)) != given
        ]
        return found

    def _bound_by_content(self, request: SyncRequest, found: SyncDiff) -> list[FileCopy]:
        """The copies; those whose ctime will change are known by their digest instead."""
        real = os.path.realpath(request.source)

        def is_repermitted(copy: FileCopy) -> bool:
            """Whether its original gets another ctime before it is copied."""
            return not self._repermitted.isdisjoint(upwards(join(real, copy.source_path)))

        affected = [copy for copy in found.copies if copy.data is None and is_repermitted(copy)]
        if not affected:
            return found.copies
        guard = self._context.guard
        bound = with_digests(request, replace(found, copies=affected), guard).copies
        known = {(copy.path, copy.encoding): copy for copy in bound}
        return [known.get((copy.path, copy.encoding), copy) for copy in found.copies]

    def with_digests(self, request: SyncRequest, found: SyncDiff) -> SyncDiff:
        """See `Files.with_digests`."""
        return super().with_digests(replace(request, source=self.locate(request.source)), found)
