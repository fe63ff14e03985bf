"""A directory: its owner, its mode, and who must be able to pass through it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

from reconcile.engine.model import Action, Change, Finding
from reconcile.engine.resource import Owner, Ref, Resource
from reconcile.errors import ReconcileError
from reconcile.filesystem.access_check import EXECUTE, enters
from reconcile.filesystem.inode import Stat
from reconcile.filesystem.path import join
from reconcile.resources.common import (
    folders_above,
    octal,
    owner_ids,
    ownership,
    refuse_unknown_owner,
    wrong_kind,
)
from reconcile.resources.metadata_effects import grants_told, mask_finding
from reconcile.system import Host
from reconcile.wording import first_few

NEW_MODE = 0o755


class Directory(Resource):
    """One directory, not what is in it.

    `enterable_by` names users who must be able to pass; observed, it lists those
    of them who can. Where absent and unmanaged it is made as who applies, 0755.
    """

    kind: Literal["directory"] = "directory"
    path: str
    user: str | None = None
    group: str | None = None
    mode: int | None = None
    enterable_by: tuple[str, ...] | None = None
    holds: frozenset[str] | None = None
    """Observed for a removal only: the names in it that reconcile did not write."""
    exposed: tuple[str, str] | None = None
    """Observed: a directory above that somebody else may write, and who."""
    masked: str = ""
    """Observed: what the new mode will do to the access list."""

    order: ClassVar[int] = 10
    removal_order: ClassVar[int] = 99
    when_undeclared: ClassVar[Literal["remove", "remove_if_created", "forget"]] = (
        "remove_if_created"
    )
    writes_contents: ClassVar[bool] = False
    metadata_fields: ClassVar[frozenset[str]] = frozenset({"path", "holds", "exposed", "masked"})

    @property
    def name(self) -> str:
        return self.path

    @classmethod
    def from_name(cls, name: str) -> Self:
        return cls(path=name, holds=frozenset())

    def requires(self) -> frozenset[Ref]:
        return folders_above(self.path)

    def observe(self, host: Host) -> Self | None:
        refuse_unknown_owner(host, self.user, self.group)
        found = host.files.stat(self.path, follow=True)
        if found is None:
            return None
        if found.kind != "directory":
            raise wrong_kind(self.path, found.kind, "directory")
        return self.model_copy(update=self._seen(host, found))

    def _seen(self, host: Host, found: Stat) -> dict[str, Any]:
        return {
            "user": host.accounts.user_name(found.uid),
            "group": host.accounts.group_name(found.gid),
            "mode": found.mode,
            "enterable_by": self._able(host),
            "holds": None if self.holds is None else self._held(host),
            "exposed": self._exposed(host),
            "masked": self._masked(host, found),
        }

    def _masked(self, host: Host, found: Stat) -> str:
        """With a mode of the YAML; who must pass is let in by adding to it, never cut down."""
        if self.mode in (None, found.mode):
            return ""
        return grants_told(host, host.files.masked_grants(self.path, self.mode or 0))

    def _exposed(self, host: Host) -> tuple[str, str] | None:
        found = host.files.untrusted_above(self.path)
        return None if found is None else (found[0], _writer(found[1], host))

    def _able(self, host: Host) -> tuple[str, ...] | None:
        """Those of `enterable_by` who can pass through this directory itself."""
        if self.enterable_by is None:
            return None
        users = [host.accounts.user(name) for name in self.enterable_by]
        may = host.files.may_access(self.path, users, EXECUTE)
        return tuple(name for name, allowed in zip(self.enterable_by, may, strict=True) if allowed)

    def _held(self, host: Host) -> frozenset[str]:
        # On another filesystem than our memory, what undo needs is kept in here, too.
        names = host.files.listdir(self.path, helpers=True)
        return frozenset(names) - host.files.manifest(self.path).exclusively_ours()

    def with_defaults_from(self, before: Self) -> Self:
        after = super().with_defaults_from(before)
        if self.mode is None and self.enterable_by is not None:
            # The mode follows from who must pass, so the old one is not asked for.
            return after.model_copy(update={"mode": None})
        return after

    def as_created(self, applier: Owner) -> Self:
        defaults = {**applier._asdict(), "mode": NEW_MODE}
        unset = {name: value for name, value in defaults.items() if getattr(self, name) is None}
        return self.model_copy(update=unset)

    def preflight(self, host: Host, changes: Sequence[Change]) -> Sequence[str]:  # noqa: ARG002
        """A declared mode that keeps out who must pass can never hold."""
        if self.mode is None or not self.enterable_by:
            return ()
        uid, gid = owner_ids(host, self.user, self.group)
        kept_out = [
            name
            for name in self.enterable_by
            if not enters(host.accounts.user(name), uid, gid, self.mode)
        ]
        there = self.observe(host) if kept_out else None
        if there is not None and there.mode == self.mode:
            # An access list may let them in all the same.
            kept_out = [name for name in kept_out if name not in (there.enterable_by or ())]
        if kept_out:
            raise ReconcileError(
                what=f"mode {octal(self.mode)} of {self.path} keeps {', '.join(kept_out)} out",
                why="Nginx, or the app, has to pass through this directory",
                fix='Declare the mode "0755", or the group of who must pass. Nothing was changed.',
            )
        return ()

    def apply(self, host: Host, before: Self | None) -> None:
        uid, gid = owner_ids(host, self.user, self.group)
        if before is None:
            host.files.mkdir(self.path, uid=uid, gid=gid, mode=self.mode or NEW_MODE)
        elif (self.user, self.group, self.mode) != (before.user, before.group, before.mode):
            mode = before.mode if self.mode is None else self.mode
            host.files.set_permissions(self.path, uid=uid, gid=gid, mode=mode or 0)
        if self.enterable_by and self.mode is None:
            self._open(host)

    def _open(self, host: Host) -> None:
        """Add the least execute bits that let everyone of `enterable_by` pass."""
        found = host.files.stat(self.path, follow=True)
        able = self._able(host) or ()
        kept_out = [name for name in self.enterable_by or () if name not in able]
        if found is None or not kept_out:
            return
        mode = found.mode
        for name in kept_out:
            mode |= _least_bit(found, host, name)
        host.files.set_permissions(self.path, uid=found.uid, gid=found.gid, mode=mode)

    def delete(self, host: Host) -> None:
        """Only where nothing is left in it."""
        host.files.rmdir(self.path)

    def why_not_removable(self, leaving: frozenset[Ref]) -> str:
        going = {ref.name for ref in leaving}
        left = sorted(name for name in self.holds or () if join(self.path, name) not in going)
        return f"it still holds {first_few(left)}" if left else ""

    def preflight_warnings(self, host: Host) -> tuple[Finding, ...]:
        return self.model_copy(update={"exposed": self._exposed(host)}).findings()

    def findings(self) -> tuple[Finding, ...]:
        unsafe = () if self.exposed is None else (_unsafe_parent(*self.exposed),)
        return (*unsafe, mask_finding(self.path, self.masked)) if self.masked else unsafe

    def summary(self, action: Action) -> str:
        return ownership(self.user, self.group, self.mode) if action == "create" else ""

    def display(self) -> dict[str, Any]:
        shown = self.managed()
        if self.mode is not None:
            shown["mode"] = octal(self.mode)
        if self.enterable_by is not None:
            shown["enterable_by"] = list(self.enterable_by)
        return shown


def _unsafe_parent(above: str, writer: str) -> Finding:
    """Whoever may write above can swap what is below, whatever its own mode."""
    return Finding(
        "unsafe-parent",
        "warning",
        f"{above} may be written by {writer}, who can so replace directories below it"
        " that reconcile looks after. No symlink is followed there, and root's files"
        " are not given away.",
        fix=f"chown root:root {shlex.quote(above)} && chmod go-w {shlex.quote(above)};"
        " what an app has to write belongs in a directory of its own, as media does.",
    )


def _writer(found: Stat, host: Host) -> str:
    """Who else may write it. Called only where somebody may."""
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
