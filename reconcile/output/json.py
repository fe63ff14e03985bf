"""Plans, reports, events and errors as the documents that scripts read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from reconcile import __version__
from reconcile.engine.apply_report import Event, Report
from reconcile.engine.checks import failed_checks
from reconcile.engine.diff import SENSITIVE
from reconcile.engine.drift_report import Drift
from reconcile.engine.history import HistoryRow
from reconcile.engine.model import Action, Change, Check, FieldChange, Plan, Unknown
from reconcile.output import documents as doc
from reconcile.output.apply_events import (
    ChangeEvent,
    CheckEvent,
    NoteEvent,
    PlannedChangeEvent,
    SummaryEvent,
)
from reconcile.output.command_documents import DemoDocument, WrittenDocument
from reconcile.output.fields import shown_changes, shown_fields
from reconcile.wording import utc_text

_RESULTS = (("fail", "failed"), ("unknown", "incomplete"))


def plan_document(
    plan: Plan, exit_code: int, *, now: datetime, full: bool = False, checks: Sequence[Check] = ()
) -> doc.PlanDocument:
    """Build the object of `plan --json`; unchanged resources only where `full`."""
    return doc.PlanDocument(**_plan_fields(plan, exit_code, now, full, checks))


def drift_document(
    drift: Drift, *, now: datetime, exit_code: int | None = None
) -> doc.DriftDocument:
    """Build the object of `drift --json`, in which sync and health are separate."""
    code = drift.exit_code if exit_code is None else exit_code
    return doc.DriftDocument.of(
        drift,
        **_plan_fields(drift.plan, code, now, False, drift.checks),
        deviations=[item._asdict() for item in drift.deviations],
        elapsed_s=round(drift.elapsed_s, 3),
        last_apply=drift.last_apply and _apply_item(drift.last_apply),
    )


def verify_document(
    checks: Sequence[Check], host: str, exit_code: int, *, now: datetime
) -> doc.VerifyDocument:
    """Build the object of `verify --json`; a failed check outweighs one that could not run."""
    statuses = {check.status for check in checks}
    return doc.VerifyDocument(
        **envelope(host, now),
        checks=checks,
        healthy=not failed_checks(checks),
        result=next((result for status, result in _RESULTS if status in statuses), "verified"),
        exit_code=exit_code,
    )


def error_document(what: str, why: str, fix: str, exit_code: int) -> doc.ErrorDocument:
    """Build what any command prints with `--json` when it fails."""
    return doc.ErrorDocument(
        reconcile_version=__version__,
        result="error",
        error={"what": what, "why": why, "fix": fix},
        exit_code=exit_code,
    )


def written_document(files: Sequence[str]) -> WrittenDocument:
    """Build what a command prints that only writes files."""
    return WrittenDocument(reconcile_version=__version__, files=list(files))


def demo_document(folder: str, address: str = "", port: int | None = None) -> DemoDocument:
    """Build the object of `demo --json`; `address` is empty where the demo is stopped."""
    return DemoDocument(
        reconcile_version=__version__,
        folder=folder,
        running=bool(address),
        address=address,
        port=port,
    )


def planned_event(change: Change) -> PlannedChangeEvent:
    """Build the line of `apply --json` for a planned change."""
    return PlannedChangeEvent(type="planned_change", change=change_item(change))


def event_document(event: Event) -> BaseModel:
    """Build the line of `apply --json` for one step of an apply."""
    change = event.change
    if event.type == "planned_change" and change is not None:
        return planned_event(change)
    if event.type == "check" and event.check is not None:
        return CheckEvent(type="check", check=event.check)
    if event.type in ("apply_start", "apply_complete", "apply_errored") and change is not None:
        return ChangeEvent(
            type=event.type,
            address=str(change.ref),
            action=change.action,
            message=event.message,
            elapsed_s=round(event.elapsed_s, 3),
        )
    kind = "rollback" if event.type == "rollback" else "note"
    return NoteEvent(type=kind, address=change and str(change.ref), message=event.message)


def summary_event(report: Report, exit_code: int, *, now: datetime) -> SummaryEvent:
    """Build the last line of `apply --json`: what was done, not what was planned."""
    error = {"what": report.error, "why": report.why, "fix": report.fix}
    return SummaryEvent.of(
        report,
        type="summary",
        **envelope(report.plan.host, now),
        config=report.plan.config,
        fingerprint=report.plan.fingerprint,
        error=error if report.error else None,
        summary=_counts(report.done, report.plan.ignored),
        elapsed_s=round(report.elapsed_s, 3),
        confirm_by=report.confirm_by or None,
        exit_code=exit_code,
    )


def to_json(document: BaseModel, *, indent: int | None = None) -> str:
    """Serialize `document`: on one line, or indented; safe to print on a terminal.

    JSON escapes only ASCII's control characters; names of files may contain others.
    """
    values = document.model_dump(mode="json", by_alias=True)
    text = json.dumps(values, ensure_ascii=False, indent=indent)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def change_item(change: Change) -> doc.ResourceChange:
    """Build the item of a change: only the fields that differ, sensitive values masked."""
    fields = shown_fields(change)
    before = {field.name: _shown(field, field.before) for field in fields}
    after = {field.name: _shown(field, field.after) for field in fields}
    return doc.ResourceChange(
        address=str(change.ref),
        kind=change.ref.kind,
        name=change.ref.name,
        site=change.sites[0] if change.sites else None,
        sites=change.sites,
        change={
            "actions": [change.action],
            "before": None if change.before is None else before,
            "after": None if change.after is None else after,
            "after_unknown": sorted(change.before.unknown_fields()) if change.before else [],
        },
        cause=change.cause,
        because=change.reason,
        places=[str(place) for place in change.positions],
    )


def _plan_fields(
    plan: Plan, exit_code: int, now: datetime, full: bool, checks: Sequence[Check]
) -> dict[str, Any]:
    return {
        **envelope(plan.host, now),
        "config": plan.config,
        "fingerprint": plan.fingerprint,
        "partial": plan.partial,
        "resource_changes": [change_item(change) for change in shown_changes(plan, full=full)],
        "conflicts": [
            doc.ResourceConflict.of(
                conflict, address=str(conflict.ref), places=list(map(str, conflict.positions))
            )
            for conflict in plan.conflicts
        ],
        "unknown": [failed_reading(reading) for reading in plan.unknown],
        "behaviour_changes": plan.behaviour_changes,
        "hold": plan.hold,
        "findings": plan.findings,
        "ignored_changes": plan.ignored_changes,
        "checks": checks,
        "summary": _counts(plan.changes, plan.ignored),
        "result": "planned",
        "exit_code": exit_code,
    }


def _apply_item(row: HistoryRow) -> doc.ApplyItem:
    by = row.entry.by
    return doc.ApplyItem.of(
        row.entry, number=row.number, user=by.user, command=by.command, git_commit=by.commit
    )


def failed_reading(reading: Unknown) -> doc.FailedReading:
    """Build the item of a reading that failed."""
    return doc.FailedReading(address=str(reading.ref), reason=reading.reason)


def envelope(host: str, now: datetime) -> dict[str, str]:
    """Return the keys that every document begins with; the time in UTC."""
    return {"reconcile_version": __version__, "host": host, "timestamp": utc_text(now)}


def _shown(field: FieldChange, value: Any) -> Any:
    return SENSITIVE if field.sensitive and value is not None else value


def _counts(changes: Sequence[Change], ignored: int) -> doc.Counts:
    actions: list[Action] = [change.action for change in changes]
    return doc.Counts(
        add=actions.count("create"),
        change=actions.count("update"),
        destroy=actions.count("delete"),
        ignored=ignored,
        files_removed=sum(change.files_removed for change in changes),
    )
