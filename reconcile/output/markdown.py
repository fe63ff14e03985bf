"""Plans and drift as a comment on a merge request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from reconcile.engine.checks import failed_checks
from reconcile.engine.drift_report import Drift
from reconcile.engine.model import Change, Plan
from reconcile.output.escape import printable
from reconcile.output.fields import field_lines, shown_fields
from reconcile.output.style import GLYPHS, PLAIN
from reconcile.output.text import drift_summary, totals

MOST_CHARACTERS = 65_000
"""GitHub refuses a comment above 65,536; GitLab takes more."""
RESERVED = 400
MOST_LINES = 200
"""Lines of one change that are shown."""


def plan_markdown(plan: Plan) -> str:
    """Render the totals, then each change folded; truncated where it would be too long."""
    head = [f"### reconcile plan for {_code(plan.host)}", f"**{totals(plan)}**"]
    return _fitted(
        [*head, *_lines_beside_changes(plan)], [_change(change) for change in plan.changes]
    )


def drift_markdown(drift: Drift) -> str:
    """Render the plan of a drift check, and the failed checks."""
    plan = drift.plan
    head = [
        f"### reconcile drift on {_code(plan.host)}",
        f"**{drift_summary(drift)}** {totals(plan)}",
        *_applying(drift),
        *(f"- reverted: {_code(address)}" for address in drift.healed),
        *_lines_beside_changes(plan),
        *(
            f"- :x: {_code(check.name)}: {check.status} {_code(check.detail)}"
            for check in failed_checks(drift.checks)
        ),
    ]
    return _fitted(head, [_change(change) for change in plan.changes])


def _fitted(head: Sequence[str], changes: Sequence[str]) -> str:
    text = "\n\n".join(head)
    if len(text) > MOST_CHARACTERS // 2:
        text = text[: MOST_CHARACTERS // 2] + "…\n\n**The text above is truncated.**"
    shown = 0
    for change in changes:
        if len(text) + len(change) > MOST_CHARACTERS - RESERVED:
            break
        text += f"\n\n{change}"
        shown += 1
    left = len(changes) - shown
    if left:
        text += (
            f"\n\n**{left} of {len(changes)} changes are not shown here**: run `reconcile plan`."
        )
    return text


def _change(change: Change) -> str:
    address = f"<code>{_html(str(change.ref))}</code>"
    title = f"{GLYPHS[change.action]} {address} ({change.cause})"
    lines = list(_diff_lines(change))
    if len(lines) > MOST_LINES:
        left = len(lines) - MOST_LINES
        lines = [*lines[:MOST_LINES], f"# ({left} more lines, reconcile plan shows them)"]
    return f"<details><summary>{title}</summary>\n\n{_fenced(lines)}\n\n</details>"


def _diff_lines(change: Change) -> Iterator[str]:
    yield f"# {printable(change.reason or change.cause)}"
    for field in shown_fields(change):
        for line in field_lines(change, field, PLAIN, full=False):
            # A block of type diff colours by the first character of a line.
            yield _with_sign_first(line)


def _with_sign_first(line: str) -> str:
    text = line.lstrip(" ")
    return text if text[:1] in ("+", "-") else line


def _fenced(lines: Iterable[str]) -> str:
    """Put the lines into a code block that none of them can end."""
    text = "\n".join(lines)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}diff\n{text}\n{fence}"


def _lines_beside_changes(plan: Plan) -> Iterator[str]:
    for conflict in plan.conflicts:
        values = " or ".join(_code(value) for value in conflict.values)
        yield f"- :x: {_code(str(conflict.ref))} {_html(conflict.contradiction)}, {values}"
    for reading in plan.unknown:
        ref = _code(str(reading.ref))
        yield f"- :grey_question: {ref} could not be read: {_code(reading.reason)}"
    for item in plan.behaviour_changes:
        yield f"- {_code(item.request)}: {_code(item.before)} → {_code(item.after)}"
    for ignored in plan.ignored_changes:
        yield f"- ignored: {_code(ignored.address)} {ignored.field}: {_html(ignored.reason)}"
    for finding in plan.findings:
        yield f"- {finding.severity}: {_html(finding.what)}"


def _applying(drift: Drift) -> Iterator[str]:
    if drift.applying:
        yield f"An apply is in progress {_code(drift.applying)}; results may be incomplete."


def _code(text: str) -> str:
    """Format text as code in which nothing is interpreted."""
    return f"<code>{_html(text)}</code>"


def _html(text: str) -> str:
    """Escape HTML, Markdown and mentions."""
    return re.sub(r"[\\`*_\[\]@#|~!<>()&\"']", lambda m: f"&#{ord(m[0])};", printable(text))
