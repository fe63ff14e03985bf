"""What a command of a fleet found, as a person reads it: equal plans once, with their hosts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconcile.fleet.answer import HostAnswer
from reconcile.fleet.fleet_documents import FleetGroup, compared_part, groups_of, summarize
from reconcile.fleet.host_keys import OWN_FIX
from reconcile.fleet.work import Command
from reconcile.output.columns import Row, two_columns
from reconcile.output.escape import printable
from reconcile.output.style import PLAIN, Style, join_blocks
from reconcile.wording import counted

MOST_NAMES = 12
_SIGNS = {"create": "+", "update": "~", "delete": "-"}
_STATES = (
    ("drift", "to change"),
    ("failed", "failed"),
    ("stale", "stale"),
    ("unknown", "unknown"),
    ("unreachable", "unreachable"),
    ("silent", "silent"),
    ("skipped", "not asked"),
)
_FIXES = {
    "unreachable": "Check that `ssh HOST` works from here, and that its key is in known_hosts.",
    "stale": "The host changed after it was planned. Plan again.",
    "locked": "Another apply is running there, or a hold is in force. Run this again later.",
}


def fleet_text(
    command: Command,
    answers: Mapping[str, HostAnswer],
    style: Style = PLAIN,
    *,
    stopped_by: str = "",
    plans: Mapping[str, Mapping[str, Any]] | None = None,
) -> str:
    """Render all groups, then each host that has a problem, then the totals."""
    if command == "status":
        return join_blocks(
            [*two_columns([*_status_rows(answers)], style, "")],
            *_problem_blocks(answers, style),
            style.wrap(totals(command, [*answers.values()], style)),
        )
    groups = groups_of(command, answers, plans)
    blocks = [_group_lines(command, group, answers, style) for group in groups]
    return join_blocks(
        *blocks,
        *_problem_blocks(answers, style),
        [style.error(f"Stopped: {stopped_by}. The remaining hosts were not contacted.")]
        if stopped_by
        else [],
        style.wrap(totals(command, [*answers.values()], style)),
    )


def _status_rows(answers: Mapping[str, HostAnswer]) -> Iterator[Row]:
    """What each host last did, as far as its reading or its history shows."""
    for name, answer in answers.items():
        if answer.document is not None:
            state = "differs" if answer.state == "drift" else answer.state.replace("_", " ")
            yield _status_row(printable(name), state, answer.document)


def _status_row(name: str, state: str, document: Mapping[str, Any]) -> Row:
    rows = _objects(document.get("history", document.get("entries")))
    last = max(rows, key=_number, default=None)
    text = state if "entries" not in document else ""
    if last is not None:
        applied = "{result} by {user}, {at}".format(
            **{key: str(last.get(key, "?")) for key in ("result", "user", "at")}
        )
        text = f"{text}; last apply: {applied}".removeprefix("; ")
    return Row(name, printable(text.replace("_", " ")) or "never applied", name)


def _number(row: Mapping[str, Any]) -> int:
    number = row.get("number")
    return number if isinstance(number, int) else 0


def progress_line(done: int, total: int, name: str, answer: HostAnswer) -> str:
    """Render the end of one host."""
    state = "differs" if answer.state == "drift" else answer.state.replace("_", " ")
    return f"[{done}/{total}] {printable(name)}: {state} ({answer.elapsed_s:.1f} s)"


def totals(command: Command, answers: Sequence[HostAnswer], style: Style = PLAIN) -> str:
    """Render the last line."""
    summary = summarize(answers)
    good = "applied or in sync" if command == "apply" else "in sync"
    if command in ("verify", "doctor"):
        good = "healthy"
    elif command == "status":
        good = "answered"
    parts = [f"{summary.in_sync} {good}"]
    parts += [f"{getattr(summary, key)} {word}" for key, word in _STATES if getattr(summary, key)]
    return f"{style.bold(counted(summary.hosts, 'host') + ':')} {', '.join(parts)}."


def host_names(names: Sequence[str]) -> str:
    """Render how many hosts, and which."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{counted(len(names), 'host')}: {printable(', '.join(names[:MOST_NAMES]))}{more}"


def _group_lines(
    command: Command, group: FleetGroup, answers: Mapping[str, HostAnswer], style: Style
) -> list[str]:
    heading = [*map(style.bold, style.wrap(host_names(group.hosts)))]
    text = answers[group.hosts[0]].text
    if command == "plan" and text:
        return [*heading, *_without_host(text)]
    details = map(printable, _details(compared_part(command, group.plan)))
    return [*heading, *(line for text in details for line in style.wrap(text, "  ", "      "))]


def _without_host(text: str) -> list[str]:
    """The plan without the lines that name one host and the file that was saved there."""
    lines = text.partition("\nSaved. ")[0].strip("\n").split("\n")
    return lines[1:] if lines[0].startswith("reconcile will perform") else lines


def _details(plan: Mapping[str, Any]) -> Iterator[str]:
    for change in _objects(plan.get("resource_changes")):
        yield _change_line(change)
    for check in _objects(plan.get("checks")):
        yield f"{check.get('status')}: {check.get('name')}: {check.get('detail')}"
    for finding in _objects(plan.get("findings")):
        yield f"{finding.get('severity')}: {finding.get('what')} [{finding.get('rule')}]"
        if finding.get("fix"):
            yield f"  fix: {finding.get('fix')}"
    for reading in _objects(plan.get("unknown")):
        yield f"unknown: {reading.get('address')}: {reading.get('reason', reading.get('why', ''))}"


def _change_line(change: Mapping[str, Any]) -> str:
    values = change.get("change")
    values = values if isinstance(values, dict) else {}
    actions = values.get("actions")
    action = str(actions[0]) if isinstance(actions, list) and actions else ""
    line = f"{_SIGNS.get(action, ' ')} {change.get('address')}"
    fields = ", ".join(_changed_fields(values)) if action == "update" else ""
    return f"{line}: {fields} ({change.get('cause')})" if fields else line


def _changed_fields(values: Mapping[str, Any]) -> Iterator[str]:
    before, after = values.get("before"), values.get("after")
    if isinstance(before, dict) and isinstance(after, dict):
        for key in after:
            old, new = str(before.get(key)), str(after[key])
            is_short = len(old) + len(new) < 60 and "\n" not in old + new
            yield f"{key} {old} -> {new}" if is_short else f"{key} differs"


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _problem_blocks(answers: Mapping[str, HostAnswer], style: Style) -> Iterator[list[str]]:
    """Equal problems once, with their hosts."""
    hosts: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, answer in answers.items():
        if answer.problem:
            hosts[answer.state, answer.problem].append(name)
    for (state, problem), names in hosts.items():
        lines = [style.error(f"{state.replace('_', ' ').capitalize()}: ") + host_names(names)]
        for line in problem.split("\n"):
            lines += style.wrap(line, "  ", "      ")
        fix = "" if OWN_FIX in problem else _FIXES.get(state, "")
        yield [*lines, *(style.wrap_fix(fix, "  fix: ", "       ") if fix else [])]
