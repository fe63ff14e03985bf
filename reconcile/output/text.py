"""Plans, reports and checks as a person reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from reconcile.engine.drift_report import WHOLE, Deviation, Drift
from reconcile.engine.model import (
    CAUSES,
    Action,
    Change,
    Check,
    CheckStatus,
    Conflict,
    Finding,
    Plan,
    Report,
    Unknown,
    failed,
)
from reconcile.output.escape import printable
from reconcile.output.fields import field_lines, fields_of, listed
from reconcile.output.style import GLYPHS, PLAIN, Style

BEHAVIOUR_SHOWN = 8
"""Requests under a plan; JSON and --full have all."""
ROLLED_BACK = "Rolled back. The host is as it was before."
_LEGEND: dict[Action, str] = {"create": "create", "update": "update in-place", "delete": "destroy"}
_FATE: dict[Action, str] = {
    "create": "will be created",
    "update": "will be updated in-place",
    "delete": "will be destroyed",
    "no-op": "is as it should be",
}
_RANK: dict[CheckStatus, int] = {"pass": 0, "skipped": 1, "unknown": 2, "fail": 3}
_DONE: dict[Action, str] = {
    "create": "created",
    "update": "updated",
    "delete": "destroyed",
    "no-op": "unchanged",
}


def plan_text(
    plan: Plan, style: Style = PLAIN, *, full: bool = False, summary: bool = False
) -> str:
    """The whole plan, ending with its totals; `summary` lists addresses only."""
    return _joined(
        _conflicts(plan.conflicts, style),
        _unreadable(plan.unknown, style),
        _changes(listed(plan, full=full), plan.host, style, full=full, summary=summary),
        _behaviour(plan, style, full=full),
        findings_text(plan.findings, style),
        _ignored(plan, style),
        [totals(plan, style)],
    )


def report_text(report: Report, style: Style = PLAIN) -> str:
    """What became of a plan: checks that are not good, notes and totals."""
    notes = [line for note in report.notes for line in style.wrap(f"Note: {printable(note)}")]
    bad = checks_text(failed(report.checks), style)
    return _joined([*bad, *_verdict(report.checks, style)], notes, [_outcome(report, style)])


def rollback_text(notes: Sequence[str], style: Style = PLAIN) -> str:
    """The end of a rollback, and what it had to leave."""
    told = [line for note in notes for line in style.wrap(f"Note: {printable(note)}")]
    end = "Rolled back, but for what the notes say." if notes else ROLLED_BACK
    return _joined(told, [style.good(end)])


def verification_text(
    checks: Sequence[Check], style: Style = PLAIN, *, also: Sequence[Check] = ()
) -> str:
    """All checks and the verdict over them, and over those shown before (`also`).

    What failed comes last: it is what one sees at the end of a long list.
    """
    nothing = ["Nothing to verify: the configuration asks for no request."]
    ordered = sorted(checks, key=lambda check: _RANK[check.status])
    return _joined(checks_text(ordered, style), _verdict([*also, *checks], style) or nothing)


def drift_text(drift: Drift, style: Style = PLAIN) -> str:
    """The plan, since when it differs, then how the host answers: sync and health are two."""
    bad = checks_text(failed(drift.checks), style)
    return _joined(
        [*_applying(drift, style)],
        [style.good(f"Mended: {printable(address)}") for address in drift.mended],
        [plan_text(drift.plan, style)],
        _since(drift, style),
        [*bad, *_verdict(drift.checks, style)],
    )


def drift_summary(drift: Drift) -> str:
    """One sentence for each question; the same in every form."""
    causes = ", ".join(f"{drift.count(cause)} {cause}" for cause in CAUSES)
    since = f" Differs since {drift.first_seen}." if drift.first_seen else ""
    return f"In sync: {_yes(drift.in_sync)} ({causes}). Healthy: {_yes(drift.healthy)}.{since}"


def _yes(answer: bool) -> str:
    return "yes" if answer else "no"


def _applying(drift: Drift, style: Style) -> list[str]:
    if not drift.applying:
        return []
    told = f"An apply is at work {printable(drift.applying)}: what follows may be half of it."
    return [style.bold(line) for line in style.wrap(told)]


def _since(drift: Drift, style: Style) -> list[str]:
    if drift.in_sync:
        return [drift_summary(drift)]
    lines = [
        f"  {item.first_seen}  {item.cause:<7}  {printable(item.address)}{_field(item)}"
        for item in drift.deviations
    ]
    head = [style.bold("First seen:")] if lines else []
    return [*head, *lines, drift_summary(drift)]


def _field(item: Deviation) -> str:
    return "" if item.field == WHOLE else f" {printable(item.field)}"


def _verdict(checks: Sequence[Check], style: Style) -> list[str]:
    if not checks:
        return []
    found = Counter(check.status for check in checks)
    skipped = f", {found['skipped']} skipped" if found["skipped"] else ""
    things = _counted(found["unknown"], "thing")
    unseen = f"{things} could not be looked at" if found["unknown"] else ""
    if found["fail"]:
        more = f", {unseen}" if unseen else ""
        told = f"Verification failed: {found['fail']} of {len(checks)} checks{more}{skipped}."
        return [style.error(told)]
    passed = f"{found['pass']} of {len(checks)} checks passed{skipped}"
    if unseen:
        return [style.error(f"Not verified: {unseen}. Nothing failed: {passed}.")]
    return [style.good(f"Verified: {passed}.")]


def checks_text(checks: Iterable[Check], style: Style = PLAIN) -> list[str]:
    """A line for each check: its status, its name, what was seen."""
    return [line for check in checks for line in check_lines(check, style)]


def check_lines(check: Check, style: Style = PLAIN) -> list[str]:
    word = check.status.upper() if check.status == "fail" else check.status
    head = style.status(check.status, f"{word:<8}")
    detail = f": {printable(check.detail)}" if check.detail else ""
    first, *rest = style.wrap(f"{printable(check.name)}{detail}", " " * 10, " " * 10)
    return [f"  {head}{first.lstrip()}", *rest]


def findings_text(findings: Iterable[Finding], style: Style = PLAIN) -> list[str]:
    """What a person should know, each with its evidence and its fix."""
    return [line for finding in findings for line in _finding(finding, style)]


def totals(plan: Plan, style: Style = PLAIN) -> str:
    """The last line of a plan; it says the same as the exit code."""
    ignored = f" ({plan.ignored} ignored)" if plan.ignored else ""
    add, change, destroy = (plan.count(action) for action in ("create", "update", "delete"))
    if plan.conflicts:
        return style.error(f"No plan: {_counted(len(plan.conflicts), 'conflict')}.")
    if add or change or destroy:
        line = f"{style.bold('Plan:')} {add} to add, {change} to change, {destroy} to destroy."
        return f"{line}{ignored}{_unknown_note(plan)}"
    if plan.unknown:
        return f"Nothing to change in what could be read{ignored}.{_unknown_note(plan)}"
    where = "The selected part of the host" if plan.partial else "The host"
    return style.good(f"No changes. {where} matches the configuration.") + ignored


def action_line(change: Change, style: Style = PLAIN) -> str:
    """One line for a change that was made."""
    return f"{style.glyph(change.action)} {address(change)}: {_DONE[change.action]}"


def address(change: Change) -> str:
    return printable(str(change.ref))


def _joined(*blocks: Sequence[str]) -> str:
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _changes(
    changes: Sequence[Change], host: str, style: Style, *, full: bool, summary: bool
) -> list[str]:
    if not changes:
        return []
    present = {change.action for change in changes}
    legend = [f"  {style.glyph(a)} {word}" for a, word in _LEGEND.items() if a in present]
    head = [style.bold(f"What reconcile would do on {printable(host)}:"), *legend, ""]
    if summary:
        return head + [f"  {style.glyph(c.action)} {address(c)}" for c in changes]
    blocks = ("\n".join(_change(change, style, full=full)) for change in changes)
    return [*head, "\n\n".join(blocks)]


def _change(change: Change, style: Style, *, full: bool) -> list[str]:
    header = style.bold(f"# {address(change)} {_FATE[change.action]}")
    lines = [f"  {header}"]
    if change.action == "no-op":
        return lines
    lines += [style.dim(line) for line in style.wrap(_reason(change), "  # ", "  #   ")]
    for field in fields_of(change):
        lines += [f"  {line}" for line in field_lines(change, field, style, full=full)]
    return lines


def _reason(change: Change) -> str:
    because = f": {printable(change.reason)}" if change.reason else ""
    places = ", ".join(printable(str(place)) for place in change.positions)
    return f"{change.cause}{because}" + (f" ({places})" if places else "")


def _behaviour(plan: Plan, style: Style, *, full: bool) -> list[str]:
    if not plan.behaviour_changes:
        return []
    lines = [style.bold("What visitors will notice:")]
    shown = plan.behaviour_changes[: None if full else BEHAVIOUR_SHOWN]
    for change in shown:
        lines += style.wrap(printable(change.request), "  ", "    ")
        lines += style.wrap(f"{GLYPHS['delete']} {printable(change.before)}", "    ", "      ")
        lines += style.wrap(f"{GLYPHS['create']} {printable(change.after)}", "    ", "      ")
    if left := len(plan.behaviour_changes) - len(shown):
        lines.append(style.dim(f"  # ({_counted(left, 'more request')}, --full shows them)"))
    return lines


def _ignored(plan: Plan, style: Style) -> list[str]:
    lines = [style.bold("Ignored, as the configuration says:")]
    for item in plan.ignored_changes:
        until = f" (until {item.until})" if item.until else ""
        told = f"{printable(item.address)} {item.field}: {printable(item.reason)}{until}"
        lines += style.wrap(told, "  ", "    ")
    return lines if plan.ignored_changes else []


def _finding(finding: Finding, style: Style) -> list[str]:
    label = style.severity(finding.severity, finding.severity.capitalize())
    first, *rest = style.wrap(f"{printable(finding.what)} [{finding.rule}]", " " * 9, "  ")
    lines = [f"{label}: {first.lstrip()}", *rest]
    for line in finding.evidence:
        lines += style.wrap(printable(line), "  | ", "  |   ")
    return lines + (style.wrap(printable(finding.fix), "  fix: ", "       ") if finding.fix else [])


def _conflicts(conflicts: Sequence[Conflict], style: Style) -> list[str]:
    lines: list[str] = []
    for conflict in conflicts:
        what = f"{printable(str(conflict.ref))} is wanted in two ways: {printable(conflict.field)}"
        lines += style.wrap(what, "  ", "    ")
        lines += [f"    {line}" for line in _sides(conflict)]
    return [style.error("Conflicts:"), *lines] if lines else []


def _sides(conflict: Conflict) -> list[str]:
    places = [f"  ({printable(str(place))})" for place in conflict.positions[:2]] + ["", ""]
    return [
        f"{printable(value)}{place}" for value, place in zip(conflict.values, places, strict=False)
    ]


def _unreadable(unknown: Sequence[Unknown], style: Style) -> list[str]:
    lines: list[str] = []
    for reading in unknown:
        text = f"{printable(str(reading.ref))}: {printable('; '.join(reading.reason.splitlines()))}"
        lines += style.wrap(text, "  ? ", "    ")
    return [style.error("Could not be read:"), *lines] if lines else []


def _unknown_note(plan: Plan) -> str:
    if not plan.unknown:
        return ""
    return f" {_counted(len(plan.unknown), 'reading')} failed: the plan is incomplete."


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _outcome(report: Report, style: Style) -> str:
    done = [change.action for change in report.done]
    counts = (
        f"{done.count('create')} added, {done.count('update')} changed, "
        f"{done.count('delete')} destroyed."
    )
    if report.result == "no_changes":
        return totals(report.plan, style)
    if report.result == "applied":
        return style.good(f"Apply complete! {counts}")
    if report.result == "rolled_back":
        return style.error(ROLLED_BACK)
    return style.error(f"Apply failed. {counts}")
