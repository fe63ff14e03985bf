"""Findings as text, JSON and Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from reconcile.engine.model import Finding, Severity, Unknown
from reconcile.output import documents as doc
from reconcile.output.escape import printable
from reconcile.output.json import envelope, finding_item
from reconcile.output.style import PLAIN, Style, join_blocks
from reconcile.output.text import findings_text
from reconcile.wording import counted

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
_CODE = str.maketrans({"`": "'", "|": "\\|"})


class DoctorCounts(doc.Document):
    """How many findings there are of each severity."""

    error: int
    warning: int
    note: int


class DoctorDocument(doc.Envelope):
    """`reconcile doctor --json`."""

    findings: list[doc.FindingItem]
    unknown: list[doc.FailedReading]
    rules: int
    summary: DoctorCounts
    result: Literal["clean", "findings", "incomplete"]
    exit_code: int


def doctor_document(
    host: str,
    findings: Sequence[Finding],
    unknown: Sequence[Unknown],
    *,
    rules: int,
    exit_code: int,
    now: datetime,
) -> DoctorDocument:
    """Build the object of `doctor --json`; `rules` is how many ran."""
    return DoctorDocument(
        **envelope(host, now),
        findings=[finding_item(finding) for finding in findings],
        unknown=[doc.FailedReading(address=str(u.ref), reason=u.reason) for u in unknown],
        rules=rules,
        summary=DoctorCounts(**_counts(findings)),
        result="incomplete" if unknown else "findings" if _has_problems(findings) else "clean",
        exit_code=exit_code,
    )


def doctor_text(
    host: str,
    findings: Sequence[Finding],
    unknown: Sequence[Unknown],
    *,
    rules: int,
    style: Style = PLAIN,
) -> str:
    """List all findings, worst first, then the checks that could not be run, then the totals."""
    blocks = [_finding_lines(finding, style) for finding in findings]
    if unknown:
        lines = [style.error("Could not be checked:")]
        for reason, names in rules_by_reason(unknown).items():
            lines += style.wrap(f"{printable(reason)} [{', '.join(names)}]", "  ? ", "    ")
        blocks.append(lines)
    return join_blocks(*blocks, [_verdict(host, findings, unknown, rules, style)])


def doctor_markdown(
    host: str, findings: Sequence[Finding], unknown: Sequence[Unknown], *, rules: int
) -> str:
    """Render the same for an issue or a chat."""
    lines = [f"## Doctor on {_inline(host)}", "", _verdict(host, findings, unknown, rules, PLAIN)]
    for finding in findings:
        lines += ["", f"### {finding.severity}: {finding.rule}", "", _escaped(finding.what), ""]
        lines += [f"- {_inline(line)}" for line in finding.evidence]
        lines += ["", f"**Fix:** {_inline(finding.fix)}"] if finding.fix else []
        lines += ["", "`reconcile apply` fixes it."] if finding.apply_fixes else []
        lines += ["", f"*{_escaped(finding.source)}*"] if finding.source else []
    if unknown:
        lines += ["", "### Could not be checked", ""]
        for reason, names in rules_by_reason(unknown).items():
            lines.append(f"- {_inline(reason)} ({', '.join(names)})")
    return "\n".join(lines)


def rules_text(rules: Sequence[tuple[str, Severity, str]]) -> str:
    """List rules, one per line: id, highest severity and summary."""
    width = max((len(rule) for rule, _, _ in rules), default=0)
    return "\n".join(
        f"{rule:<{width}}  {severity:<7}  {summary}" for rule, severity, summary in rules
    )


def rules_by_reason(unknown: Iterable[Unknown]) -> Mapping[str, list[str]]:
    """Map each reason to the rules that could not run because of it."""
    grouped: dict[str, list[str]] = {}
    for reading in unknown:
        grouped.setdefault("; ".join(reading.reason.splitlines()), []).append(reading.ref.name)
    return grouped


def _finding_lines(finding: Finding, style: Style) -> list[str]:
    lines = findings_text([finding], style)
    if finding.apply_fixes:
        lines.append("       `reconcile apply` fixes it")
    return lines


def _verdict(
    host: str,
    findings: Sequence[Finding],
    unknown: Sequence[Unknown],
    rules: int,
    style: Style,
) -> str:
    counts = _counts(findings)
    totals = ", ".join(counted(counts[severity], severity) for severity in SEVERITIES)
    missing = " Not everything could be checked." if unknown else ""
    if _has_problems(findings) or unknown:
        return style.error(f"{rules} rules on {printable(host)}: {totals}.{missing}")
    return style.good(f"{rules} rules on {printable(host)}: no problems ({totals}).")


def _has_problems(findings: Iterable[Finding]) -> bool:
    return any(finding.severity != "note" for finding in findings)


def _counts(findings: Iterable[Finding]) -> dict[str, int]:
    severities = [finding.severity for finding in findings]
    return {severity: severities.count(severity) for severity in SEVERITIES}


def _inline(text: str) -> str:
    """Format text of the host as a code span that nothing in it can end."""
    return f"`{printable(text).translate(_CODE)}`"


def _escaped(text: str) -> str:
    """Escape what Markdown or HTML would interpret."""
    return "".join(f"\\{c}" if c in r"\`*_[]<>#|" else c for c in printable(text))
