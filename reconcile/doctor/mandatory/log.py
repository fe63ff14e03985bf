"""Where denials are written down: by auditd, else by syslog, else in the journal alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconcile.system.tail import tail

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection

LOG_BYTES = 1 << 20
JOURNAL_LINES = 2000
_FILES = ("/var/log/audit/audit.log", "/var/log/kern.log")
_JOURNAL = "journalctl _TRANSPORT=kernel + _TRANSPORT=audit"


@dataclass(frozen=True)
class Logged:
    """Lines of one log; what is older than `since_s` was denied to a process that is gone."""

    where: str
    lines: tuple[str, ...]
    since_s: float | None

    def is_recent(self, at: float | None) -> bool:
        return at is None or self.since_s is None or at >= self.since_s


def logged(snapshot: HostInspection) -> tuple[Logged, ...]:
    """The last lines of every log that may hold denials. Errors: HostError, unreadable."""
    return tuple(_read(snapshot))


def _read(snapshot: HostInspection) -> Iterator[Logged]:
    since_s = snapshot.running.oldest_start_s if snapshot.running else None
    found = [Logged(path, tail(path, LOG_BYTES), since_s) for path in _FILES]
    written = [one for one in found if one.lines]
    yield from written
    if not written:
        yield Logged(_JOURNAL, _journal(snapshot), since_s)


def _journal(snapshot: HostInspection) -> tuple[str, ...]:
    """What the kernel and the audit system have told journald, whom nobody else can pose as."""
    commands = snapshot.host.commands
    if commands.find("journalctl") is None:
        return ()
    done = commands.run(
        (
            "journalctl",
            "--quiet",
            "--no-pager",
            "--boot",
            "--output=short-unix",
            f"--lines={JOURNAL_LINES}",
            "_TRANSPORT=kernel",
            "+",
            "_TRANSPORT=audit",
        ),
        timeout_s=10,
    )
    return tuple(done.stdout.splitlines())
