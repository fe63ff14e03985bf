"""A directory: its owner, its mode, and who must be able to enter it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from posixpath import join
from typing import Any, ClassVar, Literal, Self

from reconcile.dataclass import dataclass
from reconcile.engine.model import Action, Change, Changes, Finding
from reconcile.engine.resource import Owner, Ref, Resource
from reconcile.errors import ReconcileError
from reconcile.filesystem.access_check import EXECUTE, can_enter
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.inode import Ownership, Stat
from reconcile.filesystem.path import ancestors, relative_to
from reconcile.filesystem.planned_entry import FOLDER, Entry
from reconcile.resources.common import (
    folders_above,
    octal,
    owner_ids,
    ownership,
    refuse_giving,
    refuse_missing_folder,
    refuse_unknown_owner,
    wrong_kind,
)
from reconcile.resources.metadata_effects import acl_finding, describe_grants
from reconcile.resources.registry import removes_name
from reconcile.system import Host
from reconcile.wording import first_few

NEW_MODE = 0o755


@dataclass(frozen=True, kw_only=True)
class Directory(Resource):
    """One directory, not what is in it.

    `enterable_by` names users who must be able to enter; observed, it lists those
    of them who can. Where absent, unmanaged fields default to who applies and 0755.
    """

    kind: Literal["directory"] = "directory"
    path: str
    user: str | None = None
    group: str | None = None
    mode: int | None = None
    enterable_by: tuple[str, ...] | None = None
    holds: frozenset[str] | None = None
    """Observed for a removal only: the names in it that reconcile did not create."""
    is_mounted: bool = False
    """Observed, for a removal: whether something is mounted at it or below it."""
    copied: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Observed for a removal only: root of a copy above → those of `holds` that it wrote."""
    exposed: tuple[str, str] | None = None
    """Observed: a directory above that somebody else can write, and who."""
    masked: str = ""
    """Observed: how the new mode will change what the ACL grants."""
    inode: Stat | None = None
    """Observed: what gets another owner or mode."""

    order: ClassVar[int] = 10
    removal_order: ClassVar[int] = 99
    when_undeclared: ClassVar[Literal["remove", "remove_if_created", "forget"]] = (
        "remove_if_created"
    )
    writes_contents: ClassVar[bool] = False
    metadata_fields: ClassVar[frozenset[str]] = frozenset(
        {"path", "holds", "copied", "is_mounted", "exposed", "masked", "inode"}
    )

    form: ClassVar[str] = "directory"
    is_name_removed: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """The path."""
        return self.path

    @classmethod
    def from_name(cls, name: str) -> Self:
        """The directory at a path, for its removal."""
        return cls(path=name, holds=frozenset())

    def planned_entry(self) -> Entry | None:
        """The directory."""
        return FOLDER

    def claims(self, path: str, host: Host) -> bool:  # noqa: ARG002
        """Its path, not what it contains."""
        return path == self.path

    def requires(self) -> frozenset[Ref]:
        """The directories above it."""
        return folders_above(self.path)

    def observe(self, host: Host) -> Self | None:
        """The directory as it is; None where absent. Errors: HostError."""
        refuse_unknown_owner(host, self.user, self.group)
        # What is to be removed is the directory itself, never what a link in its place leads to.
        found = host.files.stat(self.path, follow=self.holds is None)
        if found is None:
            self._refuse_dangling_link(host)
            return None
        if found.kind == "symlink":
            return None
        if found.kind != "directory":
            raise wrong_kind(self.path, found.kind, "directory")
        return replace(self, **self._observed(host, found))

    def _refuse_dangling_link(self, host: Host) -> None:
        """No directory can be made in the place of a link. Errors: HostError."""
        link = host.files.stat(self.path) if self.holds is None else None
        if link is not None:
            target = host.files.readlink(self.path)
            raise HostError(
                what=f"{self.path} is a symlink to {target}, which is absent",
                why="the configuration declares a directory",
                fix=f"Create its target, or remove the link {self.path}.",
            )

    def _observed(self, host: Host, found: Stat) -> dict[str, Any]:
        return {
            "user": host.accounts.user_name(found.uid),
            "group": host.accounts.group_name(found.gid),
            "mode": found.mode,
            "enterable_by": self._who_can_enter(host),
            "holds": None if self.holds is None else self._foreign_names(host),
            "copied": {} if self.holds is None else dict(self._copied_names(host)),
            "is_mounted": self.holds is not None and bool(host.files.mount_points(self.path)),
            "exposed": self._exposed(host),
            "masked": self._masked(host, found),
            "inode": found,
        }

    def _masked(self, host: Host, found: Stat) -> str:
        """Only with a declared mode: `enterable_by` adds bits and never removes any."""
        if self.mode in (None, found.mode):
            return ""
        return describe_grants(host, host.files.masked_grants(self.path, self.mode or 0))

    def _exposed(self, host: Host) -> tuple[str, str] | None:
        found = host.files.untrusted_above(self.path)
        return None if found is None else (found[0], _writer(found[1], host))

    def _who_can_enter(self, host: Host) -> tuple[str, ...] | None:
        """Those of `enterable_by` who can enter this directory itself."""
        if self.enterable_by is None:
            return None
        users = [host.accounts.user(name) for name in self.enterable_by]
        may = host.files.may_access(self.path, users, EXECUTE)
        return tuple(name for name, allowed in zip(self.enterable_by, may, strict=True) if allowed)

    def _foreign_names(self, host: Host) -> frozenset[str]:
        # On another filesystem than the state directory, undo keeps old inodes in here, too.
        names = host.files.listdir(self.path, helpers=True)
        return frozenset(names) - host.files.manifest(self.path).exclusive_names()

    def _copied_names(self, host: Host) -> Iterator[tuple[str, frozenset[str]]]:
        for root in ancestors(self.path):
            manifest = host.files.manifest(root)
            if manifest.exists:
                yield root, manifest.exclusive_names(relative_to(self.path, root) or "")

    def with_defaults_from(self, before: Self) -> Self:
        """The same with unmanaged fields as they are."""
        after = super().with_defaults_from(before)
        if self.mode is None and self.enterable_by is not None:
            # The mode follows from who must be able to enter, so the old one is not required.
            return replace(after, mode=None)
        return after

    def as_created(self, applier: Owner) -> Self:
        """The same with unmanaged fields as a new directory gets them."""
        defaults = {**applier._asdict(), "mode": NEW_MODE}
        unset = {name: value for name, value in defaults.items() if getattr(self, name) is None}
        return replace(self, **unset)

    def planned_ownership(self, host: Host, before: Self | None) -> Ownership:
        """The owner and mode that its change leaves."""
        now = self.as_created(Owner("root", "root")) if before is None else before
        wanted = self.with_defaults_from(now)
        uid, gid = owner_ids(host, wanted.user, wanted.group)
        return Ownership(uid, gid, wanted.mode or now.mode or NEW_MODE)

    def preflight(self, host: Host, changes: Sequence[Change]) -> Sequence[str]:
        """Refuse a declared mode that denies access to `enterable_by`. Errors: ReconcileError."""
        refuse_giving(host, self, changes)
        refuse_missing_folder(host, self, changes)
        if self.mode is None or not self.enterable_by:
            return ()
        uid, gid = owner_ids(host, self.user, self.group)
        denied = [
            name
            for name in self.enterable_by
            if not can_enter(host.accounts.user(name), uid, gid, self.mode)
        ]
        now = self._before(changes, host) if denied else None
        if now is not None and now.mode == self.mode:
            # An ACL may grant them access nevertheless.
            denied = [name for name in denied if name not in (now.enterable_by or ())]
        if denied:
            raise ReconcileError(
                what=f"mode {octal(self.mode)} on {self.path} denies access to {', '.join(denied)}",
                why="nginx or the app must be able to enter this directory",
                fix='Declare the mode "0755", or a group that they are in. Nothing was changed.',
            )
        return ()

    def apply(self, host: Host, before: Self | None) -> None:
        """Create it or set its owner and mode; then grant access to `enterable_by`."""
        uid, gid = owner_ids(host, self.user, self.group)
        if before is None:
            host.files.mkdir(self.path, uid=uid, gid=gid, mode=self.mode or NEW_MODE)
        elif (self.user, self.group, self.mode) != (before.user, before.group, before.mode):
            mode = before.mode if self.mode is None else self.mode
            host.files.set_permissions(
                self.path, uid=uid, gid=gid, mode=mode or 0, expected=before.inode
            )
        if self.enterable_by and self.mode is None:
            self._grant_access(host, before)

    def _grant_access(self, host: Host, before: Self | None) -> None:
        """Add the fewest execute bits with which all of `enterable_by` can enter."""
        found = host.files.stat(self.path, follow=True)
        can = self._who_can_enter(host) or ()
        denied = [name for name in self.enterable_by or () if name not in can]
        if found is None or not denied:
            return
        mode = found.mode
        for name in denied:
            mode |= _least_bit(found, host, name)
        expected = before.inode if before and before.inode == found else None
        host.files.set_permissions(
            self.path, uid=found.uid, gid=found.gid, mode=mode, expected=expected
        )

    def delete(self, host: Host) -> None:
        """Remove it, if it is empty."""
        host.files.rmdir(self.path)

    def why_not_removable(self, leaving: frozenset[Ref]) -> str:
        """What it still contains once `leaving` are removed; "" for nothing."""
        going = {ref.name for ref in leaving if removes_name(ref.kind)}
        going |= {
            join(self.path, name)
            for root, names in self.copied.items()
            if Ref("assets", root) in leaving
            for name in names
        }
        left = sorted(name for name in self.holds or () if join(self.path, name) not in going)
        if left:
            return f"it still contains {first_few(left)}"
        return "something is mounted there" if self.is_mounted else ""

    def _before(self, changes: Sequence[Change], host: Host) -> Self | None:
        """As it was observed: what the planned world has of it knows no ACL."""
        change = Changes.of(changes).by_ref.get(self.ref)
        before = change and change.before
        return before if isinstance(before, type(self)) else self.observe(host)

    def preflight_warnings(self, host: Host) -> tuple[Finding, ...]:
        """An untrusted directory above one that does not exist yet."""
        return replace(self, exposed=self._exposed(host)).findings()

    def findings(self) -> tuple[Finding, ...]:
        """An untrusted directory above it, and side effects of the change."""
        unsafe = () if self.exposed is None else (_unsafe_parent(*self.exposed),)
        return (*unsafe, acl_finding(self.path, self.masked)) if self.masked else unsafe

    def summary(self, action: Action) -> str:
        """Owner and mode of a new one."""
        return ownership(self.user, self.group, self.mode) if action == "create" else ""

    def display(self) -> dict[str, Any]:
        """The managed fields as text."""
        shown = self.managed()
        if self.mode is not None:
            shown["mode"] = octal(self.mode)
        if self.enterable_by is not None:
            shown["enterable_by"] = list(self.enterable_by)
        return shown


def _unsafe_parent(above: str, writer: str) -> Finding:
    """Whoever can write above can replace what is below, whatever its own mode."""
    return Finding(
        "unsafe-parent",
        "warning",
        f"{above} can be written by {writer}, who can replace directories in it that reconcile"
        " manages. No symlink is followed there, and root's files keep their owner.",
        fix=f"chown root:root {shlex.quote(above)} && chmod go-w {shlex.quote(above)}."
        " Give the app a directory of its own for what it writes, as for media.",
    )


def _writer(found: Stat, host: Host) -> str:
    """Who else can write it, where somebody can."""
    if found.mode & 0o002:
        return "everyone"
    if found.mode & 0o020:
        return f"the group {host.accounts.group_name(found.gid)}"
    return f"its owner {host.accounts.user_name(found.uid)}"


def _least_bit(found: Stat, host: Host, name: str) -> int:
    account = host.accounts.user(name)
    if account.uid == found.uid:
        return 0o100
    return 0o010 if found.gid in account.groups else 0o001
