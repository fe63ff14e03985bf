"""The diagnosis of a host as text, JSON and Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from reconcile.engine.model import Finding, Severity, Unknown
from reconcile.errors import ExitCode
from reconcile.output import documents as doc
from reconcile.output.escape import printable
from reconcile.output.json import envelope, failed_reading
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


class IgnoredFindingItem(doc.Document):
    """A finding that the YAML ignores; `until` is empty where it always does."""

    rule: str
    what: str
    reason: str
    until: str


class DoctorDocument(doc.Envelope):
    """`reconcile doctor --json`."""

    findings: list[doc.FindingItem]
    ignored: list[IgnoredFindingItem]
    unknown: list[doc.FailedReading]
    rules: int
    summary: DoctorCounts
    result: Literal["clean", "findings", "incomplete"]
    exit_code: int


class RuleItem(Protocol):
    """A rule as it declares itself."""

    @property
    def id(self) -> str:
        """Its name, as options and the YAML use it."""

    @property
    def severity(self) -> Severity:
        """The worst that it reports."""

    @property
    def summary(self) -> str:
        """The fault in one line."""

    @property
    def help(self) -> str:
        """What the fault means, and what to do."""

    @property
    def reads(self) -> Sequence[str]:
        """What it reads of a host."""


@dataclass(frozen=True)
class IgnoredFinding:
    """A finding that the YAML ignores, and why; `until` is a day, "" for no limit."""

    rule: str
    what: str
    reason: str
    until: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All findings, worst first, and the rules that could not run; `rules` is how many ran."""

    host: str
    findings: tuple[Finding, ...]
    unknown: tuple[Unknown, ...]
    rules: int
    ignored: tuple[IgnoredFinding, ...] = ()

    @property
    def has_problems(self) -> bool:
        """Whether there is more than notes."""
        return any(finding.severity != "note" for finding in self.findings)

    def exit_code(self) -> ExitCode:
        """1 where something could not be checked, 2 for findings; notes do not count."""
        if self.unknown:
            return ExitCode.ERROR
        return ExitCode.CHANGES if self.has_problems else ExitCode.OK


def doctor_document(diagnosis: Diagnosis, *, now: datetime) -> DoctorDocument:
    """Build the object of `doctor --json`."""
    result = "findings" if diagnosis.has_problems else "clean"
    return DoctorDocument.of(
        diagnosis,
        **envelope(diagnosis.host, now),
        unknown=[failed_reading(reading) for reading in diagnosis.unknown],
        summary=_counts(diagnosis),
        result="incomplete" if diagnosis.unknown else result,
        exit_code=diagnosis.exit_code(),
    )


def doctor_text(diagnosis: Diagnosis, style: Style = PLAIN) -> str:
    """List all findings, worst first, then the checks that could not be run, then the totals."""
    blocks = [_finding_lines(finding, style) for finding in diagnosis.findings]
    if diagnosis.unknown:
        lines = [style.error("Could not be checked:")]
        for reason, names in rules_by_reason(diagnosis.unknown).items():
            lines += style.wrap(f"{printable(reason)} [{', '.join(names)}]", "  ? ", "    ")
        blocks.append(lines)
    return join_blocks(*blocks, _ignored_lines(diagnosis, style), [_verdict(diagnosis, style)])


def doctor_markdown(diagnosis: Diagnosis) -> str:
    """Render the same for an issue or a chat."""
    lines = [f"## Doctor on {_inline(diagnosis.host)}", "", _verdict(diagnosis, PLAIN)]
    for finding in diagnosis.findings:
        lines += ["", f"### {finding.severity}: {finding.rule}", "", _escaped(finding.what), ""]
        lines += [f"- {_inline(line)}" for line in finding.evidence]
        lines += ["", f"**Fix:** {_inline(finding.fix)}"] if finding.fix else []
        lines += ["", "`reconcile apply` fixes it."] if finding.apply_fixes else []
        lines += ["", f"*{_escaped(finding.source)}*"] if finding.source else []
    if diagnosis.unknown:
        lines += ["", "### Could not be checked", ""]
        for reason, names in rules_by_reason(diagnosis.unknown).items():
            lines.append(f"- {_inline(reason)} ({', '.join(names)})")
    if diagnosis.ignored:
        lines += ["", "### Ignored, as the configuration asks", ""]
        lines += [f"- {one.rule}: {_escaped(_ignored_text(one))}" for one in diagnosis.ignored]
    return "\n".join(lines)


def rules_text(rules: Sequence[RuleItem]) -> str:
    """List rules, one per line: id, highest severity and summary."""
    width = max((len(rule.id) for rule in rules), default=0)
    return "\n".join(f"{rule.id:<{width}}  {rule.severity:<7}  {rule.summary}" for rule in rules)


def rules_in_full(rules: Sequence[RuleItem], style: Style = PLAIN) -> str:
    """Show all that rules declare, a block for each."""
    return join_blocks(*(_declared(rule, style) for rule in rules))


def _declared(rule: RuleItem, style: Style) -> list[str]:
    return [
        style.bold(rule.id),
        *style.wrap(f"{rule.severity}: {rule.summary}", "  "),
        *style.wrap(rule.help, "  "),
        *style.wrap(f"reads: {', '.join(rule.reads)}", "  "),
    ]


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


def _ignored_lines(diagnosis: Diagnosis, style: Style) -> list[str]:
    lines = [style.bold("Ignored, as the configuration asks:")]
    for one in diagnosis.ignored:
        lines += style.wrap(f"{one.rule}: {printable(_ignored_text(one))}", "  ", "    ")
    return lines if diagnosis.ignored else []


def _ignored_text(one: IgnoredFinding) -> str:
    until = f" (until {one.until})" if one.until else ""
    return f"{one.what} Reason: {one.reason}{until}"


def _verdict(diagnosis: Diagnosis, style: Style) -> str:
    counts = [counted(count, severity) for severity, count in _counts(diagnosis).items()]
    totals = ", ".join(counts + [f"{len(diagnosis.ignored)} ignored"] * bool(diagnosis.ignored))
    head = f"{counted(diagnosis.rules, 'rule')} on {printable(diagnosis.host)}"
    if diagnosis.has_problems or diagnosis.unknown:
        missing = " Not everything could be checked." if diagnosis.unknown else ""
        return style.error(f"{head}: {totals}.{missing}")
    return style.good(f"{head}: no problems ({totals}).")


def _counts(diagnosis: Diagnosis) -> dict[Severity, int]:
    severities = [finding.severity for finding in diagnosis.findings]
    return {severity: severities.count(severity) for severity in SEVERITIES}


def _inline(text: str) -> str:
    """Format text of the host as a code span that nothing in it can end."""
    return f"`{printable(text).translate(_CODE)}`"


def _escaped(text: str) -> str:
    """Escape what Markdown or HTML would interpret."""
    return "".join(f"\\{c}" if c in r"\`*_[]<>#|" else c for c in printable(text))
