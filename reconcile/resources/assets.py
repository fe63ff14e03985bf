"""Files shipped with an app: a source folder, and its true copy that Nginx serves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Self

from pydantic import SkipValidation

from reconcile.engine.digest import digest
from reconcile.engine.model import Action, FieldChange, Finding
from reconcile.engine.resource import Cause, Ref, Resource
from reconcile.filesystem.compress import refuse_missing
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.path import is_inside
from reconcile.filesystem.permissions import PermissionDeviation, PermissionPolicy
from reconcile.filesystem.scan_result import Examples
from reconcile.filesystem.sync.sync_diff import ChangedSide, FileCopy, Stale, SyncDiff, SyncRequest
from reconcile.resources.common import folders_above, octal, owner_ids, refuse_unknown_owner
from reconcile.resources.metadata_effects import masks_finding, masks_told
from reconcile.system import Host
from reconcile.system.accounts import Accounts
from reconcile.types import Encoding

MOST_KEPT = 50_000
MOST_SHOWN = 1_000
NAMED = 5
RULE = ("user", "group", "dirs", "files", "prune", "precompress")

MISSING = "missing"
SURPLUS = "not in the source, is removed"
MADE = "is made, compressed"
STALE: dict[Stale, str] = {
    "outdated": "compressed from another version of its file, is removed",
    "unasked": "compressed by us and no longer asked for, is removed",
}


class Difference(NamedTuple):
    """One path of the copy, what is wrong with it, and who moved since the last copy."""

    path: str
    what: str
    moved: ChangedSide

    @property
    def action(self) -> Action:
        """What an apply does to this path."""
        if self.what in (SURPLUS, *STALE.values()):
            return "delete"
        return "create" if self.what.startswith((MISSING, MADE)) else "update"


class Assets(Resource):
    """The copy holds what the source holds, with these owners and modes.

    `extra` are files at the root that the source need not have. Without `prune`
    nothing is removed but stale compressed siblings. Names that begin with a
    dot are neither shipped nor touched. Observed, it holds what differs.
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
    """In which encodings compressed siblings are made of what becomes smaller by it."""
    extra: dict[str, bytes] = {}
    except_: tuple[str, ...] = ()
    """Absolute paths below the root that are someone else's to look after."""
    differences: SkipValidation[tuple[Difference, ...]] = ()
    differing: int = 0
    total: int | None = None
    notes: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    """Observed: what new modes will do to access lists."""

    order: ClassVar[int] = 35
    removal_order: ClassVar[int] = 97
    succeeded_by: ClassVar[frozenset[str]] = frozenset({"tree"})
    writes_inside: ClassVar[bool] = True
    metadata_fields: ClassVar[frozenset[str]] = frozenset(
        {"path", "extra", "except_", "differing", "total", "notes", "masked"}
    )

    @property
    def name(self) -> str:
        return self.path

    @classmethod
    def from_name(cls, name: str) -> Self:
        return cls(path=name)

    def requires(self) -> frozenset[Ref]:
        return folders_above(self.path) | {Ref("directory", self.path)}

    def may_write(self, path: str) -> bool:
        """All that lies below the root but what is someone else's."""
        return not any(is_inside(path, kept) for kept in self.except_)

    def observe(self, host: Host) -> Self | None:
        if not self.source:
            return self._remembered(host)
        refuse_unknown_owner(host, self.user, self.group)
        self._refuse_no_source(host)
        refuse_missing(self.precompress)
        if host.files.stat(self.path, follow=True) is None:
            return None
        order = self._order(host)
        found = host.files.diff(order)
        masked = host.files.masked_grants_below(self.path, order.policy, found.deviations)
        return self._with(found).model_copy(update={"masked": masks_told(host, masked)})

    def source_digest(self, host: Host) -> str:
        return host.files.source_digest(self.source)

    def _remembered(self, host: Host) -> Self | None:
        """For a removal: there as long as we remember having written anything."""
        shipped = host.files.manifest(self.path)
        if not shipped.exists:
            return None
        return self.model_copy(update={"total": len(shipped.our_files())})

    def _refuse_no_source(self, host: Host) -> None:
        found = host.files.stat(self.source, follow=True)
        if found is None or found.kind != "directory":
            raise HostError(
                what=f"the source folder {self.source} of {self.path} does not exist"
                if found is None
                else f"the source {self.source} of {self.path} is not a folder",
                why="its files cannot be compared with what is served",
                fix="Build the assets first, or correct `source` in the YAML.",
            )

    def _order(self, host: Host) -> SyncRequest:
        uid, gid = owner_ids(host, self.user, self.group)
        below = self.path.rstrip("/") + "/"
        excluded = [path.removeprefix(below) for path in self.except_ if path.startswith(below)]
        return SyncRequest(
            self.source,
            self.path,
            PermissionPolicy(uid, gid, self.files, self.dirs),
            self.prune,
            self.extra,
            frozenset(excluded),
            self.precompress,
        )

    def _with(self, found: SyncDiff) -> Self:
        return self.model_copy(
            update={
                "differences": tuple(_differences(found, self))[:MOST_KEPT],
                "differing": found.difference_count,
                "total": found.total,
                "notes": tuple(_notes(self, found)),
            }
        )

    def apply(self, host: Host, before: Self | None) -> None:  # noqa: ARG002
        host.files.sync(self._order(host))

    def delete(self, host: Host) -> None:
        """Exactly what we wrote and nobody changed since; then directories left empty."""
        host.files.remove_synced(self.path)

    def findings(self) -> tuple[Finding, ...]:
        """What was seen and left alone, and what is changed by the way."""
        left = tuple(Finding("assets-left-alone", "note", note) for note in self.notes)
        return (*left, masks_finding(self.path, self.masked)) if self.masked else left

    def digests(self) -> dict[str, str]:
        rule = {name: digest(getattr(self, name)) for name in RULE}
        told = [list(one) for one in self.differences]
        return {**rule, "differences": digest([self.differing, told])}

    def cause(self, field: str, before: Self | None, written: Mapping[str, str]) -> Cause:
        """Told apart by file: the source has moved since it was copied, or the copy has."""
        if field not in written or before is None:
            return "pending"
        now = self.digests()
        asked_anew = any(now[name] != written.get(name) for name in RULE)
        moved = {one.moved for one in before.differences}
        if moved == {"host"}:
            return "pending" if asked_anew else "drift"
        return "both" if len(moved) > 1 else "pending"

    def summary(self, action: Action) -> str:
        return f"copied from {self.source}" if action == "create" else ""

    def why(self, change: FieldChange) -> str:
        if change.name != "differences":
            return ""
        return {
            "drift": "files differ from the last apply",
            "pending": "the source files changed",
            "both": "the source files changed, and so did their copies",
        }[change.cause]

    def items(self, field: str) -> Sequence[tuple[Action, str]] | None:
        """What goes first, then what changes, then what is new."""
        if field != "differences":
            return None
        told = [(one.action, f"{one.path}: {one.what}") for one in self.differences]
        return sorted(told, key=lambda item: ("delete", "update", "create").index(item[0]))

    def files_removed(self, after: Resource | None) -> int:
        if after is None:
            return self.total or 0
        return sum(one.what == SURPLUS and not one.path.endswith("/") for one in self.differences)

    def display(self) -> dict[str, Any]:
        modes = {"dirs": octal(self.dirs), "files": octal(self.files)}
        lines = [f"{one.path}: {one.what}" for one in self.differences[:MOST_SHOWN]]
        if self.differing > len(lines):
            lines.append(f"and {self.differing - len(lines)} more")
        return {**self.managed(), **modes, "differences": lines}


def _differences(found: SyncDiff, wanted: Assets) -> Iterator[Difference]:
    yield from (Difference(f"{path}/", MISSING, "source") for path in found.folders)
    yield from (_copied(copy) for copy in found.copies)
    yield from (Difference(path, STALE[why], "source") for path, why in found.stale.items())
    for path in found.extraneous:
        yield Difference(path, SURPLUS, "source")
    for path in found.extraneous_folders:
        yield Difference(f"{path}/", SURPLUS, "source")
    names = Accounts()
    yield from (_owned(one, wanted, names) for one in found.deviations)


def _copied(copy: FileCopy) -> Difference:
    if copy.encoding:
        what = MADE if copy.is_new else "is made anew, compressed"
        return Difference(copy.path, what, copy.changed_side)
    if copy.is_new:
        return Difference(copy.path, f"{MISSING} ({copy.new_size} bytes)", copy.changed_side)
    sizes = f"{copy.old_size} -> {copy.new_size} bytes"
    same = copy.old_size == copy.new_size
    what = f"other content ({copy.new_size} bytes)" if same else f"other content ({sizes})"
    return Difference(copy.path, what, copy.changed_side)


def _owned(found: PermissionDeviation, wanted: Assets, names: Accounts) -> Difference:
    owner = f"{names.user_name(found.uid)}:{names.group_name(found.gid)}"
    me = names.current
    right = f"{wanted.user or me.name}:{wanted.group or names.group_name(me.gid)}"
    mode = wanted.dirs if found.is_directory else wanted.files
    ways = [f"owner {owner} -> {right}"] if owner != right else []
    ways += [f"mode {octal(found.mode)} -> {octal(mode)}"] if found.mode != mode else []
    return Difference(found.path, ", ".join(ways), "host")


def _notes(wanted: Assets, found: SyncDiff) -> Iterator[str]:
    root, out = wanted.path, found.not_copied
    told: tuple[tuple[Examples, str], ...] = (
        (found.kept, f"below {root} are not in the source and stay (prune is off)"),
        (
            found.skipped,
            f"below {root} keep their owner or mode: they have further names, or"
            " belong to another user where somebody else may write",
        ),
        (
            out.outside,
            f"in {wanted.source} are symlinks that lead out of it, or links in linked"
            " directories, and are not shipped",
        ),
        (out.special, f"in {wanted.source} are neither files nor directories and are not shipped"),
        (
            out.foreign,
            f"in {wanted.source} are another user's, with further names, and are not shipped",
        ),
    )
    for examples, why in told:
        if examples.count:
            more = ", ..." if examples.count > NAMED else ""
            yield f"{examples.count} {why}: {', '.join(examples.paths[:NAMED])}{more}"
