"""Static files of an app: a source folder, and the copy of it that nginx serves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from itertools import islice
from posixpath import join
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from reconcile.dataclass import dataclass
from reconcile.engine.digest import digest
from reconcile.engine.model import Action, Change, Changes, FieldChange, Finding
from reconcile.engine.resource import Cause, Ref, Resource
from reconcile.filesystem.compress import SUFFIXES, refuse_missing
from reconcile.filesystem.free_space import NewFile, NewFiles
from reconcile.filesystem.host_error import ChangedSincePlan, HostError
from reconcile.filesystem.path import is_inside, relative_to
from reconcile.filesystem.permissions import PermissionPolicy
from reconcile.filesystem.place import OverlapIndex, is_one_in_the_other, lies_in
from reconcile.filesystem.sync.sync_diff import (
    SyncDiff,
    SyncRequest,
    TooManyFiles,
)
from reconcile.resources.assets_differences import Difference, differences_of
from reconcile.resources.assets_notes import private_findings, skipped_notes, too_many_finding
from reconcile.resources.common import (
    excluded_below,
    folders_above,
    octal,
    owner_ids,
    refuse_missing_folder,
    refuse_unknown_owner,
)
from reconcile.resources.metadata_effects import acl_finding_below, describe_grants_below
from reconcile.system import Host
from reconcile.types import Encoding

if TYPE_CHECKING:
    from reconcile.engine.claims import Claims

MOST_KEPT = 50_000
MOST_SHOWN = 1_000
POLICY = ("user", "group", "dirs", "files", "prune", "precompress")
"""Fields whose change makes every difference a change of the configuration."""
UNBUILT = "copied; known once "
"""Begins the one difference that is known of files which a release has still to make."""
ORDER: tuple[Action, ...] = ("delete", "update", "create")


@dataclass(frozen=True, kw_only=True)
class Assets(Resource):
    """The copy contains what the source contains, with these owners and modes.

    `extra` are files at the root that the source need not have. Without `prune`
    nothing is removed but stale compressed siblings. Names that begin with a
    dot are neither copied nor changed. Observed, it lists what differs.
    """

    kind: Literal["assets"] = "assets"
    path: str
    source: str = ""
    user: str | None = None
    group: str | None = None
    dirs: int = 0o755
    files: int = 0o644
    prune: bool = False
    precompress: tuple[Encoding, ...] = ()
    """The encodings in which compressed siblings are made of what becomes smaller by it."""
    keep: int | None = None
    """Seconds for which a file with a hash in its name stays once the source has dropped it."""
    extra: dict[str, bytes] = field(default_factory=dict)
    except_: tuple[str, ...] = ()
    """Absolute paths below the root that other resources manage."""
    differences: tuple[Difference, ...] = ()
    diff: SyncDiff | None = None
    """All that differs: what an apply does, file by file."""
    differing: int = 0
    total: int | None = None
    notes: tuple[str, ...] = ()
    skipped: int = 0
    """Observed: the files whose owner or mode deviates, and that are left alone."""
    unpublished: tuple[Finding, ...] = ()
    """Observed: what of the source is not published although it is declared."""
    going: tuple[str, ...] = ()
    """Observed, for a removal: the relative paths of the files and folders that it takes."""
    spared: Mapping[str, str] = field(default_factory=dict)
    """For a removal: the relative paths that other resources hold now, with the root of the
    copy that holds it; "" for any other kind."""
    mounted: tuple[str, ...] = ()
    """Observed, for a removal: where something is mounted below it."""
    dropped: Mapping[str, float] | None = None
    """Observed: what stays for now, and since when it is not in the source, where that is new."""
    built_by: str = ""
    """The release whose steps make the source, as text; "" where it exists by itself."""
    built_in: str = ""
    """The folder of that release."""
    at_switch: bool = False
    """Whether what keeps its name changes together with the version of the app."""
    masked: tuple[str, ...] = ()
    """Observed: how new modes will change what ACLs grant."""

    order: ClassVar[int] = 35
    removal_order: ClassVar[int] = 97
    succeeded_by: ClassVar[frozenset[str]] = frozenset({"tree"})
    writes_inside: ClassVar[bool] = True
    sets_permissions: ClassVar[bool] = True
    metadata_fields: ClassVar[frozenset[str]] = frozenset(
        {
            *("path", "extra", "except_", "differing", "diff", "total", "notes", "unpublished"),
            *("masked", "spared", "skipped", "keep", "dropped", "built_by", "at_switch"),
            "built_in",
            *("mounted", "going"),
        }
    )

    @property
    def name(self) -> str:
        """The path of the copy."""
        return self.path

    @property
    def source_directory(self) -> str:
        """The folder that is copied."""
        return self.source

    @classmethod
    def from_name(cls, name: str) -> Self:
        """The copy at a path, without a source, for its removal."""
        return cls(path=name)

    def requires(self) -> frozenset[Ref]:
        """The root, and the directories above it."""
        return folders_above(self.path) | {Ref("directory", self.path)}

    def may_write(self, path: str) -> bool:
        """All that is below the root, except what other resources manage."""
        return not any(is_inside(path, excluded) for excluded in self.except_)

    def pruned_paths(self) -> Iterable[str]:
        """What is not in the source, where that is removed; all that a copy had, where it goes."""
        yield from (join(self.path, path) for path in self.going)
        if self.diff is not None:
            for path in (*self.diff.extraneous, *self.diff.extraneous_folders):
                yield join(self.path, path)

    @property
    def is_due_only(self) -> bool:
        """Whether nothing differs but files whose time is over."""
        diff = self.diff
        if diff is None or not diff.due:
            return False
        return diff.difference_count == len(diff.due) + len(diff.extraneous_folders)

    def record_unchanged(self, host: Host) -> None:
        """When the source dropped what is kept."""
        if self.dropped is not None:
            host.files.record_dropped(self.path, self.dropped)

    def waits_for_switch(self) -> bool:
        """Whether it overwrites files of a version that visitors still get."""
        return self.at_switch and self.diff is not None and self.diff.replaces_names

    def rewritten_paths(self) -> Iterable[tuple[str, Cause]]:
        """Every file that is copied, compressed anew or removed."""
        if self.diff is None:
            return
        for copy in self.diff.copies:
            yield join(self.path, copy.path), "drift" if copy.changed_side == "host" else "pending"
        for path in (*self.diff.stale, *self.diff.extraneous, *self.diff.cleared):
            yield join(self.path, path), "pending"

    def replaced_paths(self) -> Iterable[str]:
        """What is there already; of what is new, the directories."""
        if self.diff is None:
            yield from self.pruned_paths()
            return
        new = {copy.path.rpartition("/")[0] for copy in self.diff.copies if copy.is_new}
        old = (copy.path for copy in self.diff.copies if not copy.is_new)
        for path in (*self.diff.folders, *(join(one, "new") for one in new), *old):
            yield join(self.path, path)
        for path in (*self.diff.stale, *self.diff.cleared, *self.diff.cleared_folders):
            yield join(self.path, path)
        yield from self.pruned_paths()

    def new_files(self, host: Host, before: Self | None) -> NewFiles:  # noqa: ARG002
        """What is copied, and its directories; what is compressed takes nothing for certain."""
        return NewFiles(self.path, _new_files((before or self).diff or SyncDiff(), self.source))

    def repermitted_paths(self) -> Iterable[str]:
        """What has another owner or mode than declared."""
        deviations = () if self.diff is None else self.diff.deviations
        return (join(self.path, one.path) for one in deviations)

    def claims(self, path: str, host: Host) -> bool:
        """What the source has, and the compressed siblings of that."""
        return any(self._has_source(one, host) for one in self._originals(path))

    def _originals(self, path: str) -> Iterator[str]:
        """`path` relative to the root, and what it may be the compressed sibling of."""
        relative = relative_to(path, self.path)
        if relative is None or not self.may_write(path):
            return
        yield relative
        for suffix in map(SUFFIXES.__getitem__, self.precompress):
            if relative.endswith(suffix) and self.may_write(path.removesuffix(suffix)):
                yield relative.removesuffix(suffix)

    def _has_source(self, relative: str, host: Host) -> bool:
        hidden = any(name.startswith(".") for name in relative.split("/"))
        source = join(self.source, relative)
        return relative in self.extra or (not hidden and host.files.stat(source) is not None)

    def left_alone(self, now: Self) -> bool:
        """Whether only owners and modes deviate that were not to be changed."""
        diff = now.diff
        return diff is not None and diff.difference_count == len(diff.deviations) <= self.skipped

    def sparing(self, claims: Claims, host: Host) -> Self:
        """Without the files that other resources hold now."""
        manifest = host.files.manifest(self.path)
        written = (*manifest.written_files(), *manifest.folders)
        holders = ((path, claims.holder(join(self.path, path))) for path in written)
        spared = {
            path: holder.path if isinstance(holder, Assets) else ""
            for path, holder in holders
            if holder is not None
        }
        return replace(self, spared=spared)

    def passed_on(self) -> frozenset[str]:
        """What it wrote and others hold now."""
        return frozenset(join(self.path, path) for path in self.spared)

    def observe(self, host: Host) -> Self | None:
        """What differs from the source; None where the root is absent. Errors: HostError."""
        if not self.source:
            return self._recorded(host)
        refuse_unknown_owner(host, self.user, self.group)
        refuse_missing(self.precompress)
        if self._is_unbuilt(host):
            return self._unknown(host)
        self._refuse_no_source(host)
        if host.files.stat(self.path, follow=True) is None:
            return None
        return self._compared(host)

    def _is_unbuilt(self, host: Host) -> bool:
        """Whether a release makes the source before this is planned exactly."""
        return bool(self.built_by) and not host.files.is_release_complete(
            self.built_in, host.managing_account.uid
        )

    def _unknown(self, host: Host) -> Self | None:
        """What is known before the release is made: that its files are copied."""
        if host.files.stat(self.path, follow=True) is None:
            return None
        removed = ", and files that it does not have are removed" if self.prune else ""
        difference = Difference(
            "its files", f"{UNBUILT}{self.built_by} is made{removed}", "source", "update"
        )
        return replace(self, differences=(difference,), differing=1)

    def _compared(self, host: Host) -> Self:
        request = self._request(host)
        try:
            found = host.files.diff(request)
        except TooManyFiles as error:
            return replace(self, unpublished=(too_many_finding(self, error),))
        masked = host.files.masked_grants_below(self.path, request.policy, found.deviations)
        return replace(
            self,
            differences=tuple(islice(differences_of(found, self), MOST_KEPT)),
            diff=found if found.difference_count else None,
            differing=found.difference_count,
            total=found.total,
            notes=tuple(skipped_notes(self, found)),
            skipped=found.skipped.count,
            unpublished=tuple(private_findings(self, found.not_copied)),
            dropped=self._newly_dropped(host, found),
            masked=describe_grants_below(host, masked),
        )

    def _newly_dropped(self, host: Host, found: SyncDiff) -> Mapping[str, float] | None:
        known = host.files.manifest(self.path).dropped
        return found.retained if found.retained != known else None

    def planned(self, host: Host) -> Self:
        """With all that will be copied where nothing is yet."""
        if self._is_unbuilt(host):
            return self
        compared = self._compared(host)
        return replace(self, diff=compared.diff, unpublished=compared.unpublished)

    def preflight(self, host: Host, changes: Sequence[Change]) -> Sequence[str]:
        """Refuse a source that the plan removes or copies to, or that is the copy itself.

        Errors: HostError.
        """
        if self._is_unbuilt(host):
            return ()
        self._refuse_no_source(host)
        self._refuse_overlap(host)
        refuse_missing_folder(host, self, changes)
        self._refuse_changing_source(host, Changes.of(changes))
        return ()

    def _refuse_changing_source(self, host: Host, changes: Changes) -> None:
        """What another copy is about to change could be read only after that."""
        copies, index = changes.once(_changing_copies, host)
        found = index.overlapping(host.files.locations((self.source,))[self.source])
        for copied in (copies[path] for path in sorted(found - {self.path})):
            raise HostError(
                what=f"the source folder {self.source} of {self.path} is a copy itself",
                why=f"this plan changes {copied.path}, the copy of {copied.source}",
                fix=f"Use a folder of {copied.source} as `source` here too.",
            )

    def _refuse_overlap(self, host: Host) -> None:
        """By place: their names, which links and mounts can lead together, are known to differ."""
        state = host.state.path
        at = host.files.locations((self.source, self.path, state))
        if lies_in(at[state], at[self.source]):
            raise HostError(
                what=f"the source folder {self.source} of {self.path} contains reconcile's state"
                f" directory {state}",
                why="it holds secrets, and changes with every apply",
                fix="Use another source, or another host.state_dir. Nothing was changed.",
            )
        if is_one_in_the_other(at[self.source], at[self.path]):
            raise HostError(
                what=f"the source folder {self.source} and {self.path} overlap",
                why="a symlink or a mount leads one into the other, and a copy would change its"
                " own source",
                fix="Remove that symlink or mount, or use another directory.",
            )

    def preflight_warnings(self, host: Host) -> tuple[Finding, ...]:  # noqa: ARG002
        """What of the source a first copy will not publish."""
        return self.unpublished

    def bound(self, host: Host) -> Self:
        """With the digest of each content that will be copied."""
        if self.diff is None:
            return self
        diff = host.files.with_digests(self._request(host), self.diff)
        return replace(self, diff=diff)

    def effects_digest(self) -> str:
        """Of every file that is written or removed, and of what is expected in its place."""
        return "" if self.diff is None else self.diff.digest()

    def _recorded(self, host: Host) -> Self | None:
        """For a removal: it exists as long as anything was recorded as copied."""
        manifest = host.files.manifest(self.path)
        if not manifest.exists:
            return None
        is_there = host.files.stat(self.path, follow=True) is not None
        mounted = tuple(filter(None, host.files.mount_points(self.path))) if is_there else ()
        removable = manifest.removable_files() if is_there else frozenset[str]()
        left = removable - self.spared.keys()
        files = [path for path in left if not _is_mounted(path, mounted)]
        folders = manifest.removable_folders(files) if is_there else frozenset[str]()
        going = (*files, *(folders - self.spared.keys()))
        return replace(self, total=len(files), going=tuple(sorted(going)), mounted=mounted)

    def _refuse_no_source(self, host: Host) -> None:
        found = host.files.stat(self.source, follow=True)
        if found is None or found.kind != "directory":
            problem = "does not exist" if found is None else "is not a folder"
            raise HostError(
                what=f"the source folder {self.source} of {self.path} {problem}",
                why="the served files cannot be compared with it",
                fix="Build the assets first, or correct `source` in the YAML.",
            )

    def _request(self, host: Host) -> SyncRequest:
        return SyncRequest(
            self.source,
            self.path,
            PermissionPolicy(*owner_ids(host, self.user, self.group), self.files, self.dirs),
            self.prune,
            self.extra,
            excluded_below(self.path, self.except_),
            self.precompress,
            self.keep,
            host.now_s,
        )

    def apply(self, host: Host, before: Self | None) -> None:
        """Do what was planned, file by file."""
        self._sync(host, (before or self).diff)

    def apply_but_removals(self, host: Host, before: Self | None) -> None:
        """Do what was planned, but remove nothing that the source does not have."""
        diff = (before or self).diff
        self._sync(host, diff and (diff.adding() if self.at_switch else diff.without_pruning()))

    def apply_removals(self, host: Host, before: Self) -> None:
        """Remove what the source does not have."""
        diff = before.diff
        self._sync(host, diff and (diff.replacing() if self.at_switch else diff.pruning()))

    def _sync(self, host: Host, diff: SyncDiff | None) -> None:
        if diff is not None:
            host.files.sync(self._request(host), diff)

    def refresh(self, host: Host, before: Self | None) -> Self | None:
        """The copy as it is. Errors: ChangedSincePlan where it differs from the source again."""
        found = self.observe(host)
        if found is None or not found.differences:
            return found
        if before is not None and before.left_alone(found):
            return replace(found, differences=(), diff=None, differing=0)
        first = found.differences[0]
        raise ChangedSincePlan(self.path, f"{first.path}: {first.what}")

    def delete(self, host: Host) -> None:
        """Remove exactly what was copied and nobody changed since; then empty directories."""
        manifest = host.files.manifest(self.path) if self.mounted else None
        written = (*manifest.written_files(), *manifest.folders) if manifest else ()
        covered = {path: "" for path in written if _is_mounted(path, self.mounted)}
        host.files.remove_synced(self.path, {**self.spared, **covered})

    def findings(self) -> tuple[Finding, ...]:
        """What was skipped, and side effects of the change."""
        notes = (Finding("assets-left-alone", "note", note) for note in self.notes)
        skipped = (*self.unpublished, *notes)
        return (*skipped, acl_finding_below(self.path, self.masked)) if self.masked else skipped

    def digests(self) -> dict[str, str]:
        """The policy by field, and all differences as one."""
        policy = {name: digest(getattr(self, name)) for name in POLICY}
        differences = [list(one) for one in self.differences]
        return {**policy, "differences": digest([self.differing, differences])}

    def cause(self, field: str, before: Self | None, written: Mapping[str, str]) -> Cause:
        """By file: whether the source has changed since it was copied, or the copy has."""
        if field not in written or before is None:
            return "pending"
        now = self.digests()
        has_new_policy = any(now[name] != written.get(name) for name in POLICY)
        sides = {one.changed_side for one in before.differences}
        if sides == {"host"}:
            return "pending" if has_new_policy else "drift"
        return "both" if len(sides) > 1 else "pending"

    def summary(self, action: Action) -> str:
        """Where a new copy comes from."""
        return f"copied from {self.source}" if action == "create" else ""

    def why(self, change: FieldChange) -> str:
        """Which side has changed."""
        if change.name != "differences":
            return ""
        return {
            "drift": "files differ from the last apply",
            "pending": "the source files changed",
            "both": "the source files changed, and so did their copies",
        }[change.cause]

    def items(self, field: str) -> Sequence[tuple[Action, str]] | None:
        """Deletions first, then what changes, then what is new."""
        if field != "differences":
            return None
        lines = [(one.action, f"{one.path}: {one.what}") for one in self.differences]
        return sorted(lines, key=lambda line: ORDER.index(line[0]))

    def unknown_fields(self) -> frozenset[str]:
        """Which of its files differ, as long as a release has still to make them."""
        is_unknown = any(one.what.startswith(UNBUILT) for one in self.differences)
        return frozenset({"differences"}) if is_unknown else frozenset()

    def files_removed(self, after: Resource | None) -> int:
        """The files that were copied, or those that are no longer in the source."""
        if after is None:
            return self.total or 0
        return 0 if self.diff is None else len(self.diff.extraneous) + len(self.diff.cleared)

    def file_count(self) -> int:
        """The files of the copy that the source has, and those that an apply removes."""
        copies = () if self.diff is None else self.diff.copies
        missing = sum(copy.is_new for copy in copies)
        return (self.total or 0) - missing + self.files_removed(self)

    def display(self) -> dict[str, Any]:
        """The managed fields as text, with a line for each difference."""
        modes = {"dirs": octal(self.dirs), "files": octal(self.files)}
        lines = [f"{one.path}: {one.what}" for one in self.differences[:MOST_SHOWN]]
        if self.differing > len(lines):
            lines.append(f"and {self.differing - len(lines)} more")
        return {**self.managed(), **modes, "differences": lines}


def _new_files(diff: SyncDiff, source: str) -> Iterator[NewFile]:
    # What compressing does not make smaller is not written at all.
    for copy in (one for one in diff.copies if one.encoding is None):
        original = join(source, copy.source_path) if copy.data is None else ""
        yield NewFile(copy.new_size, original)
    yield from (NewFile(0) for _ in diff.folders)


def _is_mounted(path: str, mounted: Sequence[str]) -> bool:
    """Whether `path` is one of these, or below one: what is there is not what was copied."""
    return any(is_inside(path, point) for point in mounted)


def _changing_copies(changes: Changes, host: Host) -> tuple[dict[str, Assets], OverlapIndex]:
    """Each copy whose contents the plan changes, by its path and by its place."""
    copies: dict[str, Assets] = {}
    for change in changes:
        copied = change.before or change.subject
        if not isinstance(copied, Assets) or change.after is None:
            continue
        if copied.diff is not None and copied.diff.changes_contents:
            copies[copied.path] = copied
    return copies, OverlapIndex(host.files.locations(copies))
