"""Which code a unit's process was started from, and what of it has changed since.

For a process that reconcile started, a record of that run holds the digest of every file: what
is touched, or changed and restored, is unchanged. For any other process the times decide: a
file that changed after the process began is not what it runs.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from reconcile.dataclass import dataclass
from reconcile.filesystem.code.code_scope import CodeScope
from reconcile.filesystem.code.read_code import CodeFile, CodeFiles, KnownCode
from reconcile.filesystem.host_error import ChangedSincePlan
from reconcile.filesystem.sync.manifest_row import Signature
from reconcile.system.services.start_record import read_record

if TYPE_CHECKING:
    from reconcile.system import Host
    from reconcile.system.services import UnitStatus

NS_PER_S = 1_000_000_000


class CodeChange(NamedTuple):
    """A file that is not as it was when the process began, and the digest of what it holds now."""

    path: str
    what: Literal["added", "changed", "removed"]
    digest: str = ""


@dataclass(frozen=True)
class CodeSnapshot:
    """All files of the code, each with its digest, and when they were read."""

    files: CodeFiles
    read_at_ns: int


class StartedCode:
    """The code of one unit on one host."""

    def __init__(self, host: Host, unit: str, scope: CodeScope) -> None:
        self._host, self._unit, self._scope = host, unit, scope

    def changed(self, status: UnitStatus) -> tuple[CodeChange, ...]:
        """What has changed since the process of `status` began. Errors: HostError."""
        known = self._record(status)
        if known is not None:
            return _code_changes(known.files, self._host.files.code(self._scope, known))
        known = KnownCode(unread_before_ns=_started_ns(status))
        return _younger(self._host.files.code(self._scope, known), status)

    def read(self, status: UnitStatus) -> CodeSnapshot:
        """All of the code as it is now. Errors: HostError."""
        now_ns = time.time_ns()
        known = self._record(status) or KnownCode()
        return CodeSnapshot(self._host.files.code(self._scope, known), now_ns)

    def record(self, status: UnitStatus, snapshot: CodeSnapshot) -> None:
        """Record that the process of `status` began with `snapshot`."""
        if status.active and status.invocation:
            files = {path: [*file.signature, file.digest] for path, file in snapshot.files.items()}
            record = {
                "invocation": status.invocation,
                "scope": self._key,
                "at": snapshot.read_at_ns,
                "files": files,
            }
            self._host.state.write(_record_name(self._unit), json.dumps(record).encode())

    def record_if_unchanged(self, status: UnitStatus) -> None:
        """Record a run that somebody else began, where the times prove what it began with."""
        if status.active and self._record(status) is None:
            snapshot = self.read(status)
            if not _younger(snapshot.files, status):
                self.record(status, snapshot)

    def refuse_moved(self, status: UnitStatus, planned: tuple[CodeChange, ...]) -> None:
        """Refuse code that is not what a restart was planned for. Errors: ChangedSincePlan."""
        now = self.changed(status)
        expected, found = ({one.path: one.digest for one in code} for code in (planned, now))
        # An owner or mode that this plan has changed counts where only times decide.
        moved = expected.items() - found.items()
        if self._record(status) is not None:
            moved |= found.items() - expected.items()
        if now and moved:
            path, _ = min(moved)
            raise ChangedSincePlan(f"{self._scope.folder}/{path}", "the code changed once more")

    def _record(self, status: UnitStatus) -> KnownCode | None:
        """The record of this run of the unit, None where there is none."""
        record = read_record(self._host, _record_name(self._unit))
        is_of_run = status.invocation and record.get("invocation") == status.invocation
        if not is_of_run or record.get("scope") != self._key:
            return None
        rows = record["files"].items()
        files = {path: CodeFile(Signature(*row[:4]), row[4]) for path, row in rows}
        return KnownCode(files, record["at"])

    @property
    def _key(self) -> list[Any]:
        scope = self._scope
        return [scope.folder, [*scope.excluded], [*scope.assets], [*scope.environments]]


def forget_code(host: Host, unit: str) -> None:
    """Remove the record of a unit."""
    host.state.remove(_record_name(unit))


def _record_name(unit: str) -> str:
    return f"started/{unit}.code.json"


def _started_ns(status: UnitStatus) -> int:
    return int((status.started_at or 0.0) * NS_PER_S)


def _code_changes(before: CodeFiles, now: CodeFiles) -> tuple[CodeChange, ...]:
    changed = [CodeChange(path, "removed") for path in before.keys() - now.keys()]
    for path, file in now.items():
        if path not in before:
            changed.append(CodeChange(path, "added", file.digest))
        elif before[path].digest != file.digest:
            changed.append(CodeChange(path, "changed", file.digest))
    return tuple(sorted(changed))


def _younger(files: CodeFiles, status: UnitStatus) -> tuple[CodeChange, ...]:
    since = _started_ns(status)
    return tuple(
        CodeChange(path, "changed", file.digest)
        for path, file in sorted(files.items())
        if file.signature.ctime_ns >= since
    )
