"""A unit file of our own: systemd's, or the process manager's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, ClassVar, Literal, Self

from reconcile.dataclass import dataclass
from reconcile.engine.model import Change, Changes, Finding
from reconcile.engine.resource import Ref, Resource
from reconcile.filesystem.inode import Stat
from reconcile.filesystem.planned_entry import Entry
from reconcile.resources.common import (
    folders_above,
    octal,
    owner_ids,
    refuse_giving,
    refuse_unknown_owner,
    wrong_kind,
)
from reconcile.resources.gunicorn_units import HEADER
from reconcile.resources.started_program import refuse_missing_program
from reconcile.system import Host
from reconcile.system.services.service_undo import record_unit_file

FOLDER_MODE = 0o755
_LISTENS = re.compile(r"^ListenStream=(/.*)$|^ExecStart=.* --bind (\"[^\"]*\"|\S+)", re.MULTILINE)
"""Where an app listens: its socket unit has it, or without one its service."""


@dataclass(frozen=True, kw_only=True)
class Unit(Resource):
    """One unit file; the service manager reads it anew after every change.

    Where its owner is unmanaged it is made as who applies.
    """

    kind: Literal["unit"] = "unit"
    path: str
    content: str | None = None
    user: str | None = None
    group: str | None = None
    mode: int = 0o644
    identity: str | None = None
    """Observed: the digest of its content."""
    inode: Stat | None = None
    """Observed: what gets another owner or mode."""
    left_socket: str | None = None
    """Observed: where an app listens until it listens elsewhere."""

    order: ClassVar[int] = 40
    removal_order: ClassVar[int] = 96
    metadata_fields: ClassVar[frozenset[str]] = frozenset(
        {"path", "identity", "inode", "left_socket"}
    )

    form: ClassVar[str] = "file"
    is_name_removed: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """The path of the unit file."""
        return self.path

    @property
    def unit(self) -> str:
        """The unit's name."""
        return self.path.rpartition("/")[2]

    @classmethod
    def from_name(cls, name: str) -> Self:
        """See `Resource.from_name`."""
        return cls(path=name)

    def planned_entry(self) -> Entry | None:
        """The text of the unit file."""
        return None if self.content is None else self.content.encode()

    def claims(self, path: str, host: Host) -> bool:  # noqa: ARG002
        """Its path."""
        return path == self.path

    def requires(self) -> frozenset[Ref]:
        """The directories above the unit file."""
        return folders_above(self.path)

    def observe(self, host: Host) -> Self | None:
        """Read the unit file; None where it is absent."""
        refuse_unknown_owner(host, self.user, self.group)
        there = host.files.stat(self.path)
        if there is not None and there.kind != "file":
            raise wrong_kind(self.path, there.kind, "file")
        found = host.files.content(self.path) if there else None
        if found is None:
            return None
        stat, content = found
        text = content.decode("utf-8", "backslashreplace")
        return replace(
            self,
            content=text,
            left_socket=_left_socket(text, self.content or ""),
            user=host.accounts.user_name(stat.uid),
            group=host.accounts.group_name(stat.gid),
            mode=stat.mode,
            identity=f"sha256:{sha256(content).hexdigest()}",
            inode=stat,
        )

    def findings(self) -> tuple[Finding, ...]:
        """A warning where nginx finds no socket until it is reloaded."""
        if self.left_socket is None:
            return ()
        what = f"{self.unit} leaves {self.left_socket}: until Nginx is reloaded, requests to the"
        fix = "Name another `service` in the same change: it is then started beside the old one."
        return (Finding("socket-moves", "warning", f"{what} app may get 502.", fix=fix),)

    def preflight(self, host: Host, changes: Sequence[Change]) -> Sequence[str]:
        """Refuse an owner that must not be given, and a missing program. Errors: ReconcileError."""
        refuse_giving(host, self, changes)
        concerned = Changes.of(changes).by_ref.keys() & {self.ref, Ref("service", self.unit)}
        if concerned and self.unit.endswith(".service") and host.services.runs_services:
            later = [path for change in changes if (path := _filled_by(change))]
            refuse_missing_program(host.files, self.unit, self.content or "", later)
        return ()

    def apply(self, host: Host, before: Self | None) -> None:
        """Write the unit file and make the service manager read it."""
        uid, gid = owner_ids(host, self.user, self.group)
        if before and before.content == self.content:
            # A file that is not written anew gives no reason to start its service anew.
            host.files.set_permissions(
                self.path, uid=uid, gid=gid, mode=self.mode, expected=before.inode
            )
            return
        self._record_running_unit(host)
        self._make_folder(host, uid, gid)
        data, expected = (self.content or "").encode(), before.identity if before else ""
        host.files.write(self.path, data, uid=uid, gid=gid, mode=self.mode, expected=expected)
        host.services.daemon_reload()

    def delete(self, host: Host) -> None:
        """Remove the unit file and make the service manager read the change."""
        self._record_running_unit(host)
        host.files.unlink(self.path, self.identity)
        host.services.daemon_reload()
        host.services.forget(self.unit)

    def why_not_removable(self, leaving: frozenset[Ref]) -> str:  # noqa: ARG002
        """Only unit files that reconcile wrote are removed."""
        is_managed = self.content is None or self.content.startswith(HEADER)
        return "" if is_managed else "its header no longer names reconcile"

    def files_removed(self, after: Resource | None) -> int:
        """One, the unit file, where nothing replaces it."""
        return 1 if after is None else 0

    def display(self) -> dict[str, Any]:
        """See `Resource.display`."""
        return {**self.managed(), "mode": octal(self.mode)}

    def _record_running_unit(self, host: Host) -> None:
        record_unit_file(host, self.unit)

    def _make_folder(self, host: Host, uid: int, gid: int) -> None:
        # The process manager's own folder is made with the first unit in it.
        folder = self.path.rpartition("/")[0]
        if host.files.stat(folder, follow=True) is None:
            host.files.mkdir(folder, uid=uid, gid=gid, mode=FOLDER_MODE)


def _filled_by(change: Change) -> str:
    """The folder that an apply fills with what no plan has, "" for none."""
    kind, name = change.ref.kind, change.ref.name
    return name if kind == "assets" else str(getattr(change.after, "folder", ""))


def _left_socket(before: str, after: str) -> str | None:
    """Where the app of `before` listens, where that of `after` listens elsewhere."""
    old, new = _listens_at(before), _listens_at(after)
    if old == new or not after:
        return None
    if old:
        # A socket unit of another kind of address is not one of ours.
        return old if new or "[Service]" in before else None
    return "its socket" if before.startswith(HEADER) else None


def _listens_at(text: str) -> str:
    found = _LISTENS.search(text)
    return (found[1] or found[2]).strip('"').removeprefix("unix:") if found else ""
