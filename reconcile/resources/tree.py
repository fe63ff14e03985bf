"""Owners and modes of everything below a directory, such as a media folder of a million uploads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from posixpath import join
from typing import Any, ClassVar, Literal, Self

from reconcile.dataclass import dataclass
from reconcile.engine.digest import digest
from reconcile.engine.model import FieldChange, Finding
from reconcile.engine.resource import Cause, Ref, Resource
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.permissions import PermissionDeviation, PermissionPolicy
from reconcile.filesystem.scan_result import Scan
from reconcile.filesystem.walk import DEEPEST
from reconcile.resources.common import (
    MAX_EXAMPLES,
    excluded_below,
    folders_above,
    octal,
    owner_and_mode_change,
    owner_ids,
    owners_of,
    refuse_unknown_owner,
    skipped_note,
)
from reconcile.resources.metadata_effects import acl_finding_below, describe_grants_below
from reconcile.system import Host
from reconcile.system.accounts import Accounts
from reconcile.wording import counted, first_few

POLICY = ("user", "group", "dirs", "files")


@dataclass(frozen=True, kw_only=True)
class Tree(Resource):
    """Every regular file has mode `files`, every directory `dirs`, all one owner.

    The root itself is a directory resource. Contents are never touched; symlinks,
    other mounts and hard-linked files are left alone. Observed, it lists what
    deviates: the first of it, and an exact count.
    """

    kind: Literal["tree"] = "tree"
    path: str
    user: str | None = None
    group: str | None = None
    dirs: int = 0o755
    files: int = 0o644
    except_: tuple[str, ...] = ()
    """Absolute paths below the root that other resources manage."""
    deviations: tuple[PermissionDeviation, ...] = ()
    deviating: int = 0
    total: int | None = None
    fingerprint: int = 0
    """Observed: of all deviations, including those that were not kept."""
    notes: tuple[str, ...] = ()
    foreign: tuple[Finding, ...] = ()
    """Observed: what somebody else can have moved there, and is not given away."""
    masked: tuple[str, ...] = ()
    """Observed: how new modes will change what ACLs grant."""
    declared: bool = True

    order: ClassVar[int] = 30
    removal_order: ClassVar[int] = 98
    when_undeclared: ClassVar[Literal["remove", "remove_if_created", "forget"]] = "forget"
    writes_contents: ClassVar[bool] = False
    is_shared: ClassVar[bool] = True
    has_consequences: ClassVar[bool] = False
    sets_permissions: ClassVar[bool] = True
    metadata_fields: ClassVar[frozenset[str]] = frozenset(
        {
            "path",
            "except_",
            "deviating",
            "total",
            "fingerprint",
            "notes",
            "foreign",
            "masked",
            "declared",
        }
    )

    @property
    def name(self) -> str:
        """The path of the root."""
        return self.path

    @classmethod
    def from_name(cls, name: str) -> Self:
        """The tree at a path, which is no longer declared."""
        return cls(path=name, declared=False)

    def requires(self) -> frozenset[Ref]:
        """The root, and the directories above it."""
        return folders_above(self.path) | {Ref("directory", self.path)}

    def observe(self, host: Host) -> Self | None:
        """What deviates; nothing where the root is absent. Errors: HostError."""
        refuse_unknown_owner(host, self.user, self.group)
        if not self.declared or host.files.stat(self.path, follow=True) is None:
            return self._with(Scan())
        policy = self._policy(host)
        scan = host.files.scan(self.path, policy, excluded_below(self.path, self.except_))
        _refuse_unreadable(self.path, scan)
        masked = host.files.masked_grants_below(self.path, policy, scan.deviations)
        observed = self._with(scan)
        return replace(observed, masked=describe_grants_below(host, masked))

    def _with(self, scan: Scan) -> Self:
        return replace(
            self,
            deviations=tuple(scan.deviations),
            deviating=scan.deviation_count,
            total=scan.files + scan.directories,
            fingerprint=scan.fingerprint,
            notes=tuple(_notes(self.path, scan)),
            foreign=tuple(_foreign(self, scan)),
        )

    def _policy(self, host: Host) -> PermissionPolicy:
        return PermissionPolicy(*owner_ids(host, self.user, self.group), self.files, self.dirs)

    def apply(self, host: Host, before: Self | None) -> None:
        """Fix what was found; what was moved or replaced since is left to the next plan.

        Where that is more than memory held, it takes several passes, and never fixes more
        than were found.
        """
        policy = self._policy(host)
        found = before if before is not None else self.observe(host)
        left = found.deviating if found is not None else 0
        while found is not None and found.deviations and left > 0:
            host.files.fix_permissions(self.path, policy, found.deviations[:left])
            left -= len(found.deviations)
            if len(found.deviations) == found.deviating:
                return
            found = self.observe(host)

    def refresh(self, host: Host, before: Self | None) -> Self | None:
        """Check only what was fixed, and of more than memory held the first.

        What else deviates by now is the work of others, and left to the next plan.
        """
        if before is None:
            return self.observe(host)
        left = host.files.still_deviating(self.path, self._policy(host), before.deviations)
        return replace(before, deviations=tuple(left), deviating=len(left))

    def repermitted_paths(self) -> Iterable[str]:
        """What deviates."""
        return (join(self.path, one.path) for one in self.deviations)

    def delete(self, host: Host) -> None:  # noqa: ARG002
        """Refuse. Errors: HostError."""
        raise HostError(
            what=f"{self.ref} is never removed",
            why="it contains users' data",
            fix="Remove it by hand if you are sure.",
        )

    def findings(self) -> tuple[Finding, ...]:
        """What was skipped, and side effects of the change."""
        notes = (Finding("tree-left-alone", "note", note) for note in self.notes)
        skipped = (*self.foreign, *notes)
        return (*skipped, acl_finding_below(self.path, self.masked)) if self.masked else skipped

    def digests(self) -> dict[str, str]:
        """The policy by field, and all deviations as one."""
        # Only the first are kept, and a plan is bound to all of them.
        policy = {name: digest(getattr(self, name)) for name in POLICY}
        return {**policy, "deviations": f"{self.deviating}:{self.fingerprint:016x}"}

    def cause(
        self,
        field: str,
        before: Self | None,  # noqa: ARG002
        written: Mapping[str, str],
    ) -> Cause:
        """Drift, unless the policy has changed."""
        if field not in written:
            return "pending"
        now = self.digests()
        return "pending" if any(now[name] != written.get(name) for name in POLICY) else "drift"

    def ignorable(self) -> frozenset[str]:
        """`mode` or `owner` of everything below, or all `deviations`."""
        return frozenset({"mode", "owner", "deviations"})

    def ignoring(self, field: str, observed: Self) -> tuple[Self, Self] | None:
        """The same without what deviates in the ignored field only.

        What has to be fixed for another reason still gets its owner and mode.
        """
        kept = tuple(one for one in observed.deviations if self._matters(one, field))
        ignored = len(observed.deviations) - len(kept)
        if not ignored:
            return None
        return self, replace(observed, deviations=kept, deviating=observed.deviating - ignored)

    def _matters(self, found: PermissionDeviation, ignored: str) -> bool:
        accounts = Accounts()
        owner = (
            accounts.user(self.user).uid if self.user else found.uid,
            accounts.group(self.group) if self.group else found.gid,
        )
        differs = {
            "owner": (found.uid, found.gid) != owner,
            "mode": found.mode != (self.dirs if found.is_directory else self.files),
        }
        return any(differs[name] for name in differs if name != ignored and ignored in differs)

    def why(self, change: FieldChange) -> str:
        """Whether owners and modes changed, or the declaration."""
        if change.name != "deviations":
            return ""
        if change.cause == "drift":
            return "owners or modes changed since the last apply"
        return "owners or modes differ from the declared ones"

    def display(self) -> dict[str, Any]:
        """The managed fields as text, with a line for each group of equal deviations."""
        modes = {"dirs": octal(self.dirs), "files": octal(self.files)}
        return {**self.managed(), **modes, "deviations": list(self._lines())}

    def _lines(self) -> Iterator[str]:
        names = Accounts()
        me = names.current
        wanted_owner = f"{self.user or me.name}:{self.group or names.group_name(me.gid)}"
        groups: dict[tuple[bool, int, int, int], list[str]] = defaultdict(list)
        for found in self.deviations:
            groups[found.is_directory, found.uid, found.gid, found.mode].append(found.path)
        for (is_directory, uid, gid, mode), paths in groups.items():
            owner = f"{names.user_name(uid)}:{names.group_name(gid)}"
            wanted = (wanted_owner, self.dirs if is_directory else self.files)
            noun = "directory" if is_directory else "file"
            change = owner_and_mode_change((owner, mode), wanted)
            yield f"{change}: {counted(len(paths), noun)} ({first_few(paths, MAX_EXAMPLES)})"
        if self.deviating > len(self.deviations):
            yield f"and {self.deviating - len(self.deviations)} more"


def _notes(root: str, scan: Scan) -> Iterator[str]:
    yield from skipped_note(
        scan.hard_links, "file", root, "{was} skipped: hard-linked; replace with a copy to fix it"
    )
    yield from skipped_note(scan.mounts, "path", root, "{was} skipped: on another mount")
    yield from skipped_note(
        scan.too_deep,
        "directory",
        root,
        f"{{was}} skipped with all below: more than {DEEPEST} levels deep; remove what made them",
    )


def _foreign(wanted: Tree, scan: Scan) -> Iterator[Finding]:
    notes = skipped_note(
        scan.foreign_owner,
        "path",
        wanted.path,
        "{was} skipped: owned by another user where somebody else can write; check before you"
        " change the owner by hand",
    )
    owner = ":".join(filter(None, (wanted.user, wanted.group)))
    for note in notes:
        yield Finding(
            "tree-left-alone",
            "note",
            note,
            owners_of(wanted.path, scan.foreign_owner),
            f"If it is an upload: chown {owner or '$USER'} FILE. If not, move it away.",
        )


def _refuse_unreadable(root: str, scan: Scan) -> None:
    if scan.unreadable.count:
        what = counted(scan.unreadable.count, "path")
        names = first_few(scan.unreadable.paths, MAX_EXAMPLES, scan.unreadable.count)
        raise HostError(
            what=f"{what} in {root} cannot be read: {names}",
            why=scan.unreadable_reason,
            fix="Run it as root, or as a user who can read them.",
        )
