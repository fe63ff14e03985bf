"""Plans, drift and reports as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest

from reconcile.engine.apply_report import Report
from reconcile.engine.checks import failed_checks, failure_reasons
from reconcile.engine.drift_report import WHOLE_RESOURCE, Deviation, Drift
from reconcile.engine.model import CAUSES, Change, Check, Conflict, Finding, Plan, Unknown
from reconcile.output.changes import changes_text, files_removed
from reconcile.output.check_text import checks_text, verdict
from reconcile.output.columns import Row, two_columns
from reconcile.output.error import error_text, fix_lines
from reconcile.output.escape import printable
from reconcile.output.fields import shown_changes
from reconcile.output.style import PLAIN, Style, join_blocks
from reconcile.output.visitors import visitors_text
from reconcile.wording import counted

ROLLED_BACK = "Rolled back. The host is as it was before."
ROLLED_BACK_PARTLY = "Rolled back, except for the items noted above."


def plan_text(
    plan: Plan, style: Style = PLAIN, *, full: bool = False, summary: bool = False
) -> str:
    """Render the whole plan, ending with its totals; `summary` lists addresses only."""
    return join_blocks(
        _conflicts(plan.conflicts, style),
        _unreadable(plan.unknown, style),
        changes_text(shown_changes(plan, full=full), plan.host, style, full=full, summary=summary),
        visitors_text(plan.behaviour_changes, style, full=full),
        findings_text(plan.findings, style),
        _ignored(plan, style),
        style.wrap(totals(plan, style)),
    )


def report_text(report: Report, style: Style = PLAIN) -> str:
    """Render the outcome of an apply: notes, the verdict if all checks passed, and totals."""
    passed = [] if failed_checks(report.checks) else verdict(report.checks, style)
    applied = report.checks if report.result == "applied" else ()
    known = checks_text([check for check in applied if check.failed_before or check.warning], style)
    outcome = style.wrap(_outcome(report, style))
    return join_blocks(
        _notes(report.notes, style), known, passed, [*outcome, *_to_confirm(report, style)]
    )


def failure_text(report: Report, style: Style = PLAIN) -> str:
    """Render why an apply failed, with failed checks as a list; "" where it succeeded."""
    if not report.error:
        return ""
    bad = failed_checks(report.checks)
    if report.why != failure_reasons(bad):
        return error_text(report.error, report.why, report.fix, style)
    error = error_text(report.error, "", "", style)
    return "\n".join([error, *checks_text(bad, style), *fix_lines(report.fix, style)])


def rollback_text(notes: Sequence[str], checks: Sequence[Check] = (), style: Style = PLAIN) -> str:
    """Render the end of a rollback, what it could not undo, and what does not respond."""
    bad = failed_checks(checks)
    shown = checks_text([check for check in checks if check in bad or check.failed_before], style)
    end = ROLLED_BACK_PARTLY if notes or bad else ROLLED_BACK
    mark = style.error if bad else style.good
    ending = [mark(line) for line in style.wrap(end)]
    verified = verdict(checks, style, after="Rolled back")
    return join_blocks(_notes(notes, style), shown, verified, ending)


def drift_text(drift: Drift, style: Style = PLAIN) -> str:
    """Render the plan, since when it differs, and the checks; sync and health are separate."""
    bad = checks_text(failed_checks(drift.checks), style)
    noted = (check for check in drift.checks if check.warning or check.expires)
    warned = checks_text([check for check in noted if check.status == "pass"], style)
    return join_blocks(
        _applying(drift, style),
        [style.good(f"Fixed: {printable(address)}") for address in drift.healed],
        [plan_text(drift.plan, style)],
        _deviation_lines(drift, style),
        [*warned, *bad, *verdict(drift.checks, style)],
    )


def drift_summary(drift: Drift) -> str:
    """Sum up sync and health in a sentence each; the same in every output format."""
    causes = ", ".join(f"{drift.count(cause)} {cause}" for cause in CAUSES)
    since = f" Differs since {drift.first_seen}." if drift.first_seen else ""
    return f"In sync: {_yes(drift.in_sync)} ({causes}). Healthy: {_yes(drift.healthy)}.{since}"


def findings_text(findings: Iterable[Finding], style: Style = PLAIN) -> list[str]:
    """Render findings, each with its evidence and its fix."""
    return [line for finding in findings for line in _finding_lines(finding, style)]


def totals(plan: Plan, style: Style = PLAIN) -> str:
    """Render the last line of a plan, which agrees with its exit code."""
    ignored = f" ({plan.ignored} ignored)" if plan.ignored else ""
    add, change, destroy = (plan.count(action) for action in ("create", "update", "delete"))
    if plan.conflicts:
        return style.error(f"No plan: {counted(len(plan.conflicts), 'conflict')}.")
    if add or change or destroy:
        destroyed = f"{destroy} to destroy"
        line = (
            f"{style.bold('Plan:')} {add} to add, {change} to change, "
            f"{style.alarm(destroyed) if destroy else destroyed}."
        )
        return f"{line}{_files_note(plan.changes, 'are', style)}{ignored}{_unknown_note(plan)}"
    if plan.unknown:
        return f"Nothing to change in what could be read{ignored}.{_unknown_note(plan)}"
    where = "The selected part of the host" if plan.partial else "The host"
    return style.good(f"No changes. {where} matches the configuration.") + ignored


def _yes(answer: bool) -> str:
    return "yes" if answer else "no"


def _to_confirm(report: Report, style: Style) -> list[str]:
    if not report.confirm_by:
        return []
    text = f"It is rolled back at {report.confirm_by} unless you keep it: reconcile confirm"
    return [style.bold(line) for line in style.wrap(text)]


def _notes(notes: Sequence[str], style: Style) -> list[str]:
    return [line for note in notes for line in style.wrap(f"Note: {printable(note)}", "", "  ")]


def _applying(drift: Drift, style: Style) -> list[str]:
    if not drift.applying:
        return []
    text = f"An apply is in progress {printable(drift.applying)}; results may be incomplete."
    return [style.bold(line) for line in style.wrap(text)]


def _deviation_lines(drift: Drift, style: Style) -> list[str]:
    summary = style.wrap(drift_summary(drift))
    if drift.in_sync:
        return summary
    rows = [_deviation_row(item) for item in drift.deviations]
    heading = [style.bold("First seen:")] if rows else []
    return [*heading, *two_columns(rows, style, "  "), *summary]


def _deviation_row(item: Deviation) -> Row:
    field = "" if item.field == WHOLE_RESOURCE else f" {printable(item.field)}"
    label = printable(item.address) + field
    return Row(label, f"{item.first_seen}, {item.cause}", label)


def _files_note(changes: Sequence[Change], verb: str, style: Style) -> str:
    """Files that go inside of what is updated: no resource, so no part of the counts."""
    pruned = files_removed([change for change in changes if change.after is not None])
    if not pruned:
        return ""
    singular = {"are": "is", "were": "was"}[verb] if pruned == 1 else verb
    return " " + style.alarm(f"{counted(pruned, 'file')} {singular} removed.")


def _ignored(plan: Plan, style: Style) -> list[str]:
    lines = [style.bold("Ignored, as the configuration asks:")]
    for item in plan.ignored_changes:
        until = f" (until {item.until})" if item.until else ""
        text = f"{printable(item.address)} {item.field}: {printable(item.reason)}{until}"
        lines += style.wrap(text, "  ", "    ")
    return lines if plan.ignored_changes else []


def _finding_lines(finding: Finding, style: Style) -> list[str]:
    label = style.severity(finding.severity, finding.severity.capitalize())
    first, *rest = style.wrap(f"{printable(finding.what)} [{finding.rule}]", " " * 9, "  ")
    lines = [f"{label}: {first.lstrip()}", *rest]
    for line in finding.evidence:
        lines += style.wrap(printable(line), "  | ", "  |   ")
    return [*lines, *fix_lines(finding.fix, style)]


def _conflicts(conflicts: Sequence[Conflict], style: Style) -> list[str]:
    lines: list[str] = []
    for conflict in conflicts:
        what = f"{conflict.ref} {conflict.contradiction}"
        lines += style.wrap(printable(what), "  ", "    ")
        lines += [line for side in _sides(conflict) for line in style.wrap(side, "    ", "      ")]
    return [style.error("Conflicting declarations:"), *lines] if lines else []


def _sides(conflict: Conflict) -> list[str]:
    positions = [f"  ({printable(str(where))})" for where in conflict.positions[:2]]
    sides = zip_longest(map(printable, conflict.values), positions, fillvalue="")
    return [f"{value}{position}" for value, position in sides]


def _unreadable(unknown: Sequence[Unknown], style: Style) -> list[str]:
    lines: list[str] = []
    for reading in unknown:
        text = f"{printable(str(reading.ref))}: {printable('; '.join(reading.reason.splitlines()))}"
        lines += style.wrap(text, "  ? ", "    ")
    return [style.error("Failed to read:"), *lines] if lines else []


def _unknown_note(plan: Plan) -> str:
    if not plan.unknown:
        return ""
    return f" {counted(len(plan.unknown), 'reading')} failed: the plan is incomplete."


def _outcome(report: Report, style: Style) -> str:
    done = [change.action for change in report.done]
    counts = (
        f"{done.count('create')} added, {done.count('update')} changed, "
        f"{done.count('delete')} destroyed."
    )
    if report.result == "no_changes":
        return totals(report.plan, style)
    files = _files_note(report.done, "were", style)
    if report.result == "applied":
        return style.good(f"Apply complete! {counts}") + files
    if report.result == "rolled_back":
        return style.error(ROLLED_BACK if report.restored else ROLLED_BACK_PARTLY)
    return style.error(f"Apply failed. {counts}") + files
