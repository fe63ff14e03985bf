"""Findings as text, JSON and Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from reconcile.engine.model import Finding, Severity, Unknown
from reconcile.output import documents as doc
from reconcile.output.escape import printable
from reconcile.output.json import finding_item, head
from reconcile.output.style import PLAIN, Style
from reconcile.wording import counted

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
_CODE = str.maketrans({"`": "'", "|": "\\|"})


class DoctorCounts(doc.Document):
    error: int
    warning: int
    note: int


class DoctorDocument(doc.Head):
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
    """The object of `doctor --json`; `rules` is how many were asked."""
    return DoctorDocument(
        **head(host, now),
        findings=[finding_item(finding) for finding in findings],
        unknown=[doc.FailedReading(address=str(u.ref), reason=u.reason) for u in unknown],
        rules=rules,
        summary=DoctorCounts(**_counts(findings)),
        result="incomplete" if unknown else "findings" if _serious(findings) else "clean",
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
    """All findings, worst first, then what could not be looked at, then the verdict."""
    blocks = ["\n".join(_finding(finding, style)) for finding in findings]
    if unknown:
        lines = [style.error("Could not be looked at:")]
        for reason, names in by_reason(unknown).items():
            lines += style.wrap(f"{printable(reason)} [{', '.join(names)}]", "  ? ", "    ")
        blocks.append("\n".join(lines))
    return "\n\n".join([*blocks, _verdict(host, findings, unknown, rules, style)])


def doctor_markdown(
    host: str, findings: Sequence[Finding], unknown: Sequence[Unknown], *, rules: int
) -> str:
    """The same for an issue or a chat."""
    lines = [f"## Doctor on {_inline(host)}", "", _verdict(host, findings, unknown, rules, PLAIN)]
    for finding in findings:
        lines += ["", f"### {finding.severity}: {finding.rule}", "", _escaped(finding.what), ""]
        lines += [f"- {_inline(line)}" for line in finding.evidence]
        lines += ["", f"**Fix:** {_inline(finding.fix)}"] if finding.fix else []
        lines += ["", "`reconcile apply` does it."] if finding.apply_fixes else []
        lines += ["", f"*{_escaped(finding.source)}*"] if finding.source else []
    if unknown:
        lines += ["", "### Could not be looked at", ""]
        for reason, names in by_reason(unknown).items():
            lines.append(f"- {_inline(reason)} ({', '.join(names)})")
    return "\n".join(lines)


def rules_text(rules: Sequence[tuple[str, Severity, str]]) -> str:
    """The rules of `doctor --list`: id, worst severity and summary, one on a line."""
    width = max((len(rule) for rule, _, _ in rules), default=0)
    return "\n".join(
        f"{rule:<{width}}  {severity:<7}  {summary}" for rule, severity, summary in rules
    )


def by_reason(unknown: Iterable[Unknown]) -> Mapping[str, list[str]]:
    """What could not be looked at, each with the rules that needed it."""
    grouped: dict[str, list[str]] = {}
    for reading in unknown:
        grouped.setdefault("; ".join(reading.reason.splitlines()), []).append(reading.ref.name)
    return grouped


def _finding(finding: Finding, style: Style) -> list[str]:
    from reconcile.output.text import findings_text

    lines = findings_text([finding], style)
    if finding.apply_fixes:
        lines.append("       `reconcile apply` does it")
    return lines


def _verdict(
    host: str,
    findings: Sequence[Finding],
    unknown: Sequence[Unknown],
    rules: int,
    style: Style,
) -> str:
    counts = _counts(findings)
    told = ", ".join(counted(counts[severity], severity) for severity in SEVERITIES)
    missing = " Not everything could be looked at." if unknown else ""
    if _serious(findings) or unknown:
        return style.error(f"{rules} rules on {printable(host)}: {told}.{missing}")
    return style.good(f"{rules} rules on {printable(host)}: nothing is wrong ({told}).")


def _serious(findings: Iterable[Finding]) -> bool:
    return any(finding.severity != "note" for finding in findings)


def _counts(findings: Iterable[Finding]) -> dict[str, int]:
    said = [finding.severity for finding in findings]
    return {severity: said.count(severity) for severity in SEVERITIES}


def _inline(text: str) -> str:
    """Text from a host as a code span, which nothing in it can end."""
    return f"`{printable(text).translate(_CODE)}`"


def _escaped(text: str) -> str:
    """Text as text: what Markdown or HTML would take for itself is marked."""
    return "".join(f"\\{c}" if c in r"\`*_[]<>#|" else c for c in printable(text))
