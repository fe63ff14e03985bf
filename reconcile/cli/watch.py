"""What a drift check does beside telling: mend, remember, write metrics, notify."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconcile.errors import ExitCode, LockHeld, ReconcileError, StalePlan

if TYPE_CHECKING:
    from reconcile.engine.drift_report import Drift
    from reconcile.engine.model import Report
    from reconcile.gitops.memory import Memory
    from reconcile.system import Host
    from reconcile.workspace import Workspace

COMMAND = "reconcile drift --heal"
TURN = "drift.lock"
TURN_S = 60.0
"""Another check holds it while it sends its message."""


def heal(workspace: Workspace, seen: Drift) -> Report | None:
    """Carry out what drifted, unattended; None where that was not tried, or was refused."""
    from reconcile.gitops.healing import why_not
    from reconcile.gitops.memory import recall

    memory, _ = recall(workspace.host.state)
    reason = why_not(seen, memory)
    if reason:
        note(reason)
    if reason is not None:
        return None
    report = None
    try:
        report = _mended(workspace, seen)
        well = report.exit_code(detailed=False) == ExitCode.OK
    except (LockHeld, StalePlan) as error:
        note(_in_one_line(error))
        return None
    except ReconcileError as error:
        note(_in_one_line(error))
        well = False
    if not well:
        _remember_failure(workspace.host, seen.plan.fingerprint)
    return report


def follow(workspace: Workspace, seen: Drift, metrics_file: str | None, notices: Notices) -> int:
    """Do what was asked for beside telling; the exit code that it deserves by itself."""
    with noted():
        _remember(workspace.host, seen, notices)
    if metrics_file is None:
        return ExitCode.OK
    from reconcile.gitops.metrics import write

    try:
        write(metrics_file, seen)
    except ReconcileError as error:
        note(_in_one_line(error))
        return ExitCode.ERROR
    return ExitCode.OK


@dataclass(frozen=True)
class Notices:
    """Where news go, if anywhere, and after how long the same news go out again."""

    urls: tuple[str, ...] = ()
    remind_s: float = 86_400.0

    @classmethod
    def of(cls, given: Sequence[str], remind: str) -> Notices:
        """Errors: ReconcileError for a file of URLs that others may write, or no duration."""
        from reconcile.config.fields.quantities import parse_duration

        try:
            seconds = parse_duration(remind)
        except ValueError as error:
            raise ReconcileError(f"--remind: {error}", "", "Write 12h or 7d.") from None
        return cls(tuple(url for one in given for url in _urls(one)), seconds)


def note(text: str) -> None:
    """A line for who reads cron's mail; the exit code is about the host."""
    from reconcile.output.escape import printable

    sys.stderr.write(f"Note: {printable(text.strip())}\n")


def _in_one_line(error: ReconcileError) -> str:
    told = ": ".join(part.rstrip(".") for part in (error.what, error.why) if part)
    return f"{told}. {error.fix}"


@contextmanager
def noted() -> Iterator[None]:
    """What goes wrong in the body is told, and is no reason for the check to fail."""
    try:
        yield
    except ReconcileError as error:
        note(_in_one_line(error))


def _mended(workspace: Workspace, seen: Drift) -> Report:
    from reconcile.workspace.applying import UNATTENDED, apply_plan, locked
    from reconcile.workspace.planning import replan

    with locked(workspace, "drift --heal") as current:
        plan = replan(current, seen.plan.inputs)
        return apply_plan(current, plan, COMMAND, options=UNATTENDED)


def _remember(host: Host, seen: Drift, notices: Notices) -> None:
    """Keep what the next check has to know, and tell what is news; one check at a time."""
    from reconcile.gitops.memory import after, recall, remember
    from reconcile.system.lock import try_lock

    # A check makes no folder of ours on a host that we never changed, unless it has to.
    if not notices.urls and not host.state.exists():
        return
    with try_lock(host, TURN, timeout_s=TURN_S) as ours:
        if not ours:
            note("another drift check is at work, so this one remembers nothing")
            return
        memory, problem = recall(host.state)
        if problem:
            note(problem)
        remember(host.state, _told(after(memory, seen), seen, notices))


def _told(memory: Memory, seen: Drift, notices: Notices) -> Memory:
    from reconcile.gitops.notify import is_news, message, told

    if not notices.urls or not is_news(seen, memory, notices.remind_s):
        return memory
    from reconcile.system.messages import send

    with noted():
        send(notices.urls, *message(seen))
        return told(seen, memory)
    return memory


def _remember_failure(host: Host, fingerprint: str) -> None:
    from reconcile.gitops.memory import recall, remember
    from reconcile.system.lock import try_lock

    with noted(), try_lock(host, TURN, timeout_s=TURN_S):
        memory, _ = recall(host.state)
        remember(host.state, memory.model_copy(update={"failed_heal": fingerprint}))


def mended(seen: Drift, report: Report | None) -> Drift:
    """The same look, telling what was mended just before it."""
    done = () if report is None else tuple(str(change.ref) for change in report.done)
    return replace(seen, mended=done)


def _urls(given: str) -> Iterator[str]:
    """URLs hold passwords, and everyone sees a command line: a file keeps them to itself."""
    if not given.startswith("@"):
        yield _address(given)
        return
    from reconcile.filesystem.user_files import only_ours, read_given

    path = given.removeprefix("@")
    if not os.path.lexists(path):
        raise ReconcileError(
            f"{path} cannot be read for addresses to notify",
            "there is no such file",
            "Write one address a line there, as root, mode 0600.",
        )
    if not only_ours(path):
        raise ReconcileError(
            f"{path} is not read for addresses to notify",
            "somebody else may write it",
            "Give it to root, mode 0600.",
        )
    lines = read_given(path, 1 << 16).decode("utf-8", "replace").splitlines()
    found = (line.strip() for line in lines)
    yield from (_address(line) for line in found if line and not line.startswith("#"))


def _address(given: str) -> str:
    """Errors: ReconcileError for what cannot be an address: when it is needed is too late."""
    if "://" not in given:
        raise ReconcileError(
            "That is no address to notify",
            "one begins with the name of a service and ://",
            "Write it as Apprise does: json://…, mailto://…, slack://…; or @FILE.",
        )
    return given
