"""What a drift check does beside reporting: revert, record, write metrics, notify."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from reconcile.config.fields.quantities import parse_duration
from reconcile.engine.apply_report import Report
from reconcile.engine.drift_report import Drift
from reconcile.errors import ExitCode, HoldInForce, LockHeld, ReconcileError, StalePlan
from reconcile.filesystem.user_files import is_trusted_file, read_user_file
from reconcile.gitops.auto_remediation import why_not_healing
from reconcile.gitops.drift_alert import alert_text, should_notify, with_sent_alert
from reconcile.gitops.drift_state import DriftState, load, save, updated_with
from reconcile.output.escape import printable
from reconcile.system import Host
from reconcile.system.lock import try_lock
from reconcile.system.notifier import send
from reconcile.workspace import Workspace
from reconcile.workspace.applying import UNATTENDED, apply_plan, locked_to_apply
from reconcile.workspace.planning import replan

COMMAND = "reconcile drift --heal"
DRIFT_LOCK = "drift.lock"
DRIFT_LOCK_TIMEOUT_S = 60.0
"""Another check holds it while it sends its notification."""
URLS_LIMIT_BYTES = 1 << 16


@dataclass(frozen=True)
class Notifications:
    """Where to send notifications, and after how long to repeat an unchanged one."""

    urls: tuple[str, ...] = ()
    remind_s: float = 86_400.0

    @classmethod
    def from_options(cls, notify: Sequence[str], remind: str) -> Notifications:
        """The values of --notify and --remind, checked.

        Errors: ReconcileError for an invalid URL or duration, or a file that others can write.
        """
        try:
            seconds = parse_duration(remind)
        except ValueError as error:
            raise ReconcileError(f"--remind: {error}", "", "Use a duration: 12h or 7d.") from None
        return cls(tuple(url for given in notify for url in _urls(given)), seconds)


def revert_drift(workspace: Workspace, drift: Drift) -> Report | None:
    """Apply what drifted, unattended; None where that was not tried, or was refused."""
    memory, _ = load(workspace.host)
    reason = why_not_healing(drift, memory)
    if reason:
        _print_note(reason)
    if reason is not None:
        return None
    report = None
    try:
        report = _apply_drifted(workspace, drift)
        succeeded = report.exit_code(detailed=False) == ExitCode.OK
    except (LockHeld, HoldInForce, StalePlan) as error:
        _print_note(_one_line(error))
        return None
    except ReconcileError as error:
        _print_note(_one_line(error))
        succeeded = False
    if not succeeded:
        _save_failed_heal(workspace.host, drift.plan.fingerprint)
    return report


def with_healed(drift: Drift, report: Report) -> Drift:
    """`drift`, read after a heal, with the addresses that the heal changed."""
    return replace(drift, healed=tuple(str(change.ref) for change in report.done))


def record_and_notify(
    workspace: Workspace, drift: Drift, metrics_file: str | None, notifications: Notifications
) -> int:
    """Save the outcome, notify, write metrics; the exit code for what of that failed."""
    with errors_as_notes():
        _save_outcome(workspace.host, drift, notifications)
    if metrics_file is None:
        return ExitCode.OK
    # Costs 30 ms to import, and only this option needs it.
    from reconcile.gitops.metrics import write_metrics

    try:
        write_metrics(metrics_file, drift)
    except ReconcileError as error:
        _print_note(_one_line(error))
        return ExitCode.ERROR
    return ExitCode.OK


def _apply_drifted(workspace: Workspace, drift: Drift) -> Report:
    with locked_to_apply(workspace, "drift --heal") as current:
        plan = replan(current, drift.plan.inputs)
        return apply_plan(current, plan, COMMAND, options=UNATTENDED)


def _save_outcome(host: Host, drift: Drift, notifications: Notifications) -> None:
    """Save what the next check needs, and notify; one check at a time."""
    # A check creates no state directory on a host that was never applied to, unless it must.
    if not notifications.urls and not host.state.exists():
        return
    with try_lock(host, DRIFT_LOCK, timeout_s=DRIFT_LOCK_TIMEOUT_S) as locked:
        if not locked:
            _print_note("another drift check is running; the result of this one was not saved")
            return
        memory, problem = load(host)
        if problem:
            _print_note(problem)
        save(host, _notify(updated_with(memory, drift), drift, notifications))


def _notify(memory: DriftState, drift: Drift, notifications: Notifications) -> DriftState:
    """`memory`, with the notification if one was sent."""
    if not notifications.urls or not should_notify(drift, memory, notifications.remind_s):
        return memory
    with errors_as_notes():
        send(notifications.urls, *alert_text(drift))
        return with_sent_alert(drift, memory)
    return memory


def _save_failed_heal(host: Host, fingerprint: str) -> None:
    with errors_as_notes(), try_lock(host, DRIFT_LOCK, timeout_s=DRIFT_LOCK_TIMEOUT_S):
        memory, _ = load(host)
        save(host, memory.model_copy(update={"failed_heal": fingerprint}))


@contextmanager
def errors_as_notes() -> Iterator[None]:
    """An error in the body is printed, and does not fail the check."""
    try:
        yield
    except ReconcileError as error:
        _print_note(_one_line(error))


def _print_note(text: str) -> None:
    """A line on stderr, for cron's mail; the exit code still reflects the host."""
    sys.stderr.write(f"Note: {printable(text.strip())}\n")


def _one_line(error: ReconcileError) -> str:
    text = ": ".join(part.rstrip(".") for part in (error.what, error.why) if part)
    return f"{text}. {error.fix}"


def _urls(given: str) -> Iterator[str]:
    """URLs hold passwords, and everyone can read a command line: @FILE keeps them private."""
    if not given.startswith("@"):
        yield _checked_url(given)
        return
    path = given.removeprefix("@")
    if not os.path.lexists(path):
        raise ReconcileError(
            f"Cannot read notification URLs from {path}",
            "no such file",
            "Create it as root with mode 0600, one URL per line.",
        )
    if not is_trusted_file(path):
        raise ReconcileError(
            f"Cannot read notification URLs from {path}",
            "another user can write it",
            f"chown root: {path} && chmod 0600 {path}",
        )
    lines = read_user_file(path, URLS_LIMIT_BYTES).decode("utf-8", "replace").splitlines()
    found = (line.strip() for line in lines)
    yield from (_checked_url(line) for line in found if line and not line.startswith("#"))


def _checked_url(given: str) -> str:
    """`given`, if it can be a URL: an alert is too late to find out. Errors: ReconcileError."""
    if "://" not in given:
        raise ReconcileError(
            "Not a notification URL",
            "it has no scheme such as mailto://",
            "Use a URL of Apprise: json://…, mailto://…, slack://…; or @FILE.",
        )
    return given
