"""From the records of hosts to what the page shows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from typing import Any, TypeVar

from reconcile import __version__
from reconcile.doctor.guide_rows import CHECKLIST
from reconcile.engine.checks import merged_versions
from reconcile.engine.model import Check
from reconcile.output.style import GLYPHS
from reconcile.report.difference import (
    MOST_CHANGES,
    action_of,
    command_for,
    difference_key,
    differences_of,
    hidden,
)
from reconcile.report.host_document import ApplyPart, CheckPart, FindingPart, HostDocument
from reconcile.report.host_record import STATES, HostRecord, HostState, site_of
from reconcile.report.view import (
    STATE_HELP,
    STATE_WORDS,
    ApplyView,
    CertificateView,
    ChecklistView,
    CheckView,
    DifferenceView,
    FindingView,
    HoldView,
    HostDifference,
    HostLink,
    HostView,
    IgnoredView,
    ImpactView,
    PassedView,
    ReportView,
    StateView,
    TimeView,
)
from reconcile.wording import counted, shortened

SOON_DAYS = 21
"""Certificates and ignore rules that end within this time are marked."""
MOST_DIFFERENCES = 1000
MOST_HOST_NAME = 200
MOST_NAMED = 40
MOST_NOTE = 120
MOST_FINDINGS = 50
MOST_CHECKS = 100
MOST_APPLIES = 10
MOST_EVIDENCE = 8
MOST_TEXT = 600
"""Characters of a detail that are shown."""
ATTENTION: tuple[HostState, ...] = ("drifted", "unhealthy", "unknown", "silent", "in_sync")
Same = TypeVar("Same", ChecklistView, PassedView)
_CANARY = re.compile(r"(?<=reconcile-canary-)[0-9a-f]{16,}")
_VERSIONS = " over IPv4 and IPv6"
SILENT_FIX = "Check that the host is up, and there that its checks run: reconcile schedule status."
BAD = ("fail", "unknown", "warn")
RANK = {"fail": 0, "unknown": 1, "warn": 2, "pass": 3, "skipped": 4}
SEVERITIES = ("error", "warning", "note")


def build_view(
    records: Sequence[HostRecord], *, now: datetime, silent_after: timedelta
) -> ReportView:
    """The report about these hosts, those that need a person first."""
    links = {
        record.name: _link(record, number, now, silent_after)
        for number, record in enumerate(records, 1)
    }
    differences = differences_of(records, links)
    shown = differences[:MOST_DIFFERENCES]
    known = {difference.key: difference for difference in shown}
    urgent = sorted(records, key=lambda record: ATTENTION.index(links[record.name].state))
    folded = _FoldedOnce()
    hosts = [_host(record, links[record.name], known, folded, now) for record in urgent]
    return ReportView(
        made_at=TimeView(now.astimezone(UTC).isoformat(timespec="seconds")),
        version=__version__,
        silent_after=_duration(silent_after),
        states=tuple(
            _state(f"s-{number}", key, links.values()) for number, key in enumerate(STATES, 1)
        ),
        differences=tuple(shown),
        more_differences=len(differences) - len(shown),
        hosts=tuple(hosts),
        impacts=_impacts(records, links),
        ignored=_ignored(records, links, now.date()),
        holds=tuple(_holds(records, links)),
    )


def _duration(given: timedelta) -> str:
    hours = round(given.total_seconds() / 3600)
    return counted(hours // 24, "day") if hours % 24 == 0 else counted(hours, "hour")


def _link(record: HostRecord, number: int, now: datetime, silent_after: timedelta) -> HostLink:
    state = record.state(now, silent_after)
    note = ""
    if state == "silent" and record.at:
        note = f"for {TimeView(record.at.isoformat()).age(now)}"
    elif state == "unknown":
        note = shortened(hidden(record.why_unknown), MOST_NOTE)
    return HostLink(shortened(record.name, MOST_HOST_NAME), f"h-{number}", state, note)


def _state(anchor: str, key: str, links: Iterable[HostLink]) -> StateView:
    hosts = tuple(link for link in links if link.state == key)
    return StateView(anchor, key, STATE_WORDS[key], STATE_HELP[key], hosts)


class _FoldedOnce:
    """Finds the first host that has the same: many hosts pass the same checks."""

    def __init__(self) -> None:
        self._first: dict[Any, HostLink] = {}

    def __call__(self, view: Same, host: HostLink) -> Same:
        """`view`, with the host above that has the same."""
        first = self._first.setdefault(view, host)
        return view if first is host else replace(view, same_as=first)


def _host(
    record: HostRecord,
    link: HostLink,
    known: Mapping[str, DifferenceView],
    folded: _FoldedOnce,
    now: datetime,
) -> HostView:
    checklists, others = _split_checks(record.checks)
    views = _check_views(others)
    passed = tuple(view.title for view in views if view.status == "pass")
    skipped = sum(view.status == "skipped" for view in views)
    plan, hold = record.plan, record.hold
    return HostView(
        link=link,
        at=TimeView(record.at.isoformat()) if record.at else None,
        last_state=STATE_WORDS[record.last_state],
        why_unknown=record.why_unknown,
        fix=_fix(record, link),
        facts=tuple(_facts(record)),
        command=command_for(record) if record.changes else "",
        differences=tuple(_host_differences(record, known)),
        unread=tuple(_unread(plan))[:MOST_NAMED] if plan else (),
        checklists=tuple(folded(one, link) if one.is_good else one for one in checklists),
        bad_checks=tuple(view for view in views if view.status in BAD)[:MOST_CHECKS],
        passed=folded(PassedView(passed, skipped), link),
        certificates=tuple(_certificates(record.checks, now)),
        findings=tuple(_findings(record.findings)),
        history=tuple(map(_apply, record.history[:MOST_APPLIES])),
        hold=f"{hold.user}: {hold.reason}" if hold else "",
        omitted=plan.omitted if plan else 0,
    )


def _unread(plan: HostDocument) -> Iterator[tuple[str, str]]:
    """What of a plan is not known, and why."""
    yield from ((one.address, _clipped(one.reason)) for one in plan.unknown)
    yield from ((one.address, f"{one.field} is declared twice") for one in plan.conflicts)


def _fix(record: HostRecord, link: HostLink) -> str:
    """What to do about a host of which nothing is known, or nothing new."""
    if link.state == "silent":
        return f"{SILENT_FIX} {record.latest.error.fix if record.latest.error else ''}".strip()
    failed = record.latest.error
    if failed is not None and failed.fix:
        return failed.fix
    return "Run reconcile drift there." if record.why_unknown else ""


def _facts(record: HostRecord) -> Iterator[tuple[str, str]]:
    config = record.plan.config if record.plan else None
    if config is not None:
        commit = f" at {config.git_commit[:12]}" if config.git_commit else ""
        yield "Configuration", f"{config.file}{commit}"
    if record.sites:
        names = record.sites[:MOST_NAMED]
        more = len(record.sites) - len(names)
        yield "Sites", ", ".join(names) + (f" and {more} more" if more else "")
    last = record.last_apply
    if last is not None:
        at = TimeView(last.at).text
        result = f": {last.result.replace('_', ' ')}" if last.result else ""
        yield "Last apply", f"{at} by {last.user}, {last.command}{result}"
    if record.latest.applying:
        yield "In progress", record.latest.applying
    if record.latest.reconcile_version:
        yield "Version", record.latest.reconcile_version


def _host_differences(
    record: HostRecord, known: Mapping[str, DifferenceView]
) -> Iterator[HostDifference]:
    """What differs on a host; without a link where the report does not show it."""
    signs = {str(action): glyph for action, glyph in GLYPHS.items()}
    for change in record.changes[:MOST_CHANGES]:
        shown = known.get(difference_key(change))
        sign = signs.get(action_of(change), "~")
        yield HostDifference(shown.id if shown else "", change.address, sign, change.cause)


def _split_checks(checks: Iterable[CheckPart]) -> tuple[list[ChecklistView], list[CheckPart]]:
    """The checklist of each site, and all other checks."""
    items: dict[str, list[tuple[int, CheckView]]] = {}
    others = []
    for check in checks:
        number = check.name.rpartition(":")[2]
        if not check.name.startswith("checklist:") or f"CL{number}" not in CHECKLIST:
            others.append(check)
            continue
        view = CheckView(_status(check), CHECKLIST[f"CL{number}"], _clipped(check.detail))
        items.setdefault(site_of(check), []).append((int(number), view))
    return [_checklist(site, found) for site, found in items.items()], others


def _checklist(site: str, found: list[tuple[int, CheckView]]) -> ChecklistView:
    views = tuple(view for _, view in sorted(found, key=lambda one: one[0]))
    return ChecklistView(site, views)


def _check_views(checks: Iterable[CheckPart]) -> list[CheckView]:
    """The checks, those of both IP versions once, the worst first."""
    plain = [Check(one.name, _status(one), one.detail) for one in checks]  # type: ignore[arg-type]
    views = [
        CheckView(check.status, _title(check.name), _clipped(check.detail))
        for check in merged_versions(plain)
    ]
    return sorted(views, key=lambda view: RANK[view.status])


def _title(name: str) -> str:
    return name.removeprefix("probe:").removesuffix(_VERSIONS)


def _status(check: CheckPart) -> str:
    status = "warn" if check.warning and check.status == "pass" else check.status
    return status if status in RANK else "unknown"


def _certificates(checks: Iterable[CheckPart], now: datetime) -> Iterator[CertificateView]:
    ends = {(site_of(one) or one.name, one.expires) for one in checks if one.expires}
    for site, end in sorted(ends, key=lambda one: one[1]):
        left = TimeView(end).at - now
        level = "over" if left < timedelta() else "soon" if left.days < SOON_DAYS else "ok"
        yield CertificateView(site, TimeView(end), level)


def _findings(findings: Iterable[FindingPart]) -> Iterator[FindingView]:
    ranked = sorted(findings, key=lambda one: _severity_rank(one.severity))
    for one in ranked[:MOST_FINDINGS]:
        evidence = tuple(_clipped(line) for line in one.evidence[:MOST_EVIDENCE])
        severity = one.severity if one.severity in SEVERITIES else "note"
        yield FindingView(
            severity, one.rule, _clipped(one.what), evidence, _clipped(one.fix), one.apply_fixes
        )


def _severity_rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _apply(one: ApplyPart) -> ApplyView:
    return ApplyView(
        one.number,
        TimeView(one.at),
        one.user,
        one.command,
        (one.git_commit or "")[:12],
        one.result.replace("_", " "),
        _clipped(one.error),
    )


def _impacts(
    records: Iterable[HostRecord], links: Mapping[str, HostLink]
) -> tuple[ImpactView, ...]:
    found: dict[tuple[str, str, str], list[HostLink]] = {}
    for record in records:
        for one in record.plan.behaviour_changes if record.plan else ():
            key = one.request, one.before, one.after
            found.setdefault(key, []).append(links[record.name])
    views = [
        ImpactView(_clipped(request), _clipped(before), _clipped(after), tuple(hosts))
        for (request, before, after), hosts in found.items()
    ]
    return tuple(sorted(views, key=lambda view: -len(view.hosts)))


def _ignored(
    records: Iterable[HostRecord], links: Mapping[str, HostLink], today: date
) -> tuple[IgnoredView, ...]:
    found: dict[tuple[str, str, str], list[HostLink]] = {}
    for record in records:
        for one in record.ignored:
            subject = f"{one.address} {one.field}" if one.address else f"{one.rule}: {one.what}"
            key = _clipped(subject.strip()), _clipped(one.reason), one.until
            found.setdefault(key, []).append(links[record.name])
    views = [
        IgnoredView(*key, level=_end_level(key[2], today), hosts=tuple(hosts))
        for key, hosts in found.items()
    ]
    return tuple(sorted(views, key=lambda view: (not view.until, view.until, view.subject)))


def _end_level(until: str, today: date) -> str:
    try:
        left = (date.fromisoformat(until) - today).days
    except ValueError:
        return "ok"
    return "over" if left < 0 else "soon" if left < SOON_DAYS else "ok"


def _holds(records: Iterable[HostRecord], links: Mapping[str, HostLink]) -> Iterator[HoldView]:
    for record in sorted(records, key=attrgetter("name")):
        hold = record.hold
        if hold is not None:
            times = (TimeView(at) if at else None for at in (hold.since, hold.until))
            yield HoldView(links[record.name], hold.user, hold.reason, *times)


def _clipped(text: str) -> str:
    return hidden(_CANARY.sub("…", shortened(text, MOST_TEXT)))
