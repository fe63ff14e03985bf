"""Plans, reports, events and errors as the documents that scripts read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from reconcile import __version__
from reconcile.engine.diff import SENSITIVE
from reconcile.engine.drift_report import Drift
from reconcile.engine.model import (
    Action,
    Change,
    Check,
    ConfigOrigin,
    Event,
    FieldChange,
    Finding,
    Plan,
    Report,
    failed_checks,
)
from reconcile.output import documents as doc
from reconcile.output.fields import fields_of, listed


def plan_document(
    plan: Plan, exit_code: int, *, now: datetime, full: bool = False, checks: Sequence[Check] = ()
) -> doc.PlanDocument:
    """`plan` as the object of `plan --json`; no-op changes only where `full`."""
    return doc.PlanDocument(**_plan_fields(plan, exit_code, now, full, checks))


def drift_document(
    drift: Drift, *, now: datetime, exit_code: int | None = None
) -> doc.DriftDocument:
    """The object of `drift --json`: sync and health apart."""
    code = drift.exit_code if exit_code is None else exit_code
    return doc.DriftDocument(
        **_plan_fields(drift.plan, code, now, False, drift.checks),
        in_sync=drift.in_sync,
        healthy=drift.healthy,
        state=drift.state,
        first_seen=drift.first_seen,
        last_success=drift.last_success,
        deviations=[doc.DeviationItem(**item._asdict()) for item in drift.deviations],
        applying=drift.applying,
        mended=list(drift.healed),
        elapsed_s=round(drift.elapsed_s, 3),
    )


def verify_document(
    checks: Sequence[Check], host: str, exit_code: int, *, now: datetime
) -> doc.VerifyDocument:
    """The object of `verify --json`."""
    seen = {check.status for check in checks}
    return doc.VerifyDocument(
        **head(host, now),
        checks=_checks(checks),
        healthy=not failed_checks(checks),
        result="failed" if "fail" in seen else "incomplete" if "unknown" in seen else "verified",
        exit_code=exit_code,
    )


def error_document(what: str, why: str, fix: str, exit_code: int) -> doc.ErrorDocument:
    """What any command prints with `--json` instead of its document when it fails."""
    return doc.ErrorDocument(
        reconcile_version=__version__,
        result="error",
        error=doc.ErrorItem(what=what, why=why, fix=fix),
        exit_code=exit_code,
    )


def written_document(files: Sequence[str]) -> doc.WrittenDocument:
    """What a command prints that does nothing but write files."""
    return doc.WrittenDocument(reconcile_version=__version__, files=list(files))


def demo_document(folder: str, address: str = "", port: int | None = None) -> doc.DemoDocument:
    """The object of `demo --json`; without an address it does not run (any more)."""
    return doc.DemoDocument(
        reconcile_version=__version__,
        folder=folder,
        running=bool(address),
        address=address,
        port=port,
    )


def planned_line(change: Change) -> doc.PlannedChange:
    return doc.PlannedChange(type="planned_change", change=change_item(change))


def event_line(event: Event) -> BaseModel:
    """The line of `apply --json` for one step of an apply."""
    change = event.change
    if event.type == "planned_change" and change is not None:
        return planned_line(change)
    if event.type == "check" and event.check is not None:
        return doc.Checked(type="check", check=_check(event.check))
    if event.type in ("apply_start", "apply_complete", "apply_errored") and change is not None:
        return doc.Step(
            type=event.type,
            address=str(change.ref),
            action=change.action,
            message=event.message,
            elapsed_s=round(event.elapsed_s, 3),
        )
    told = "rollback" if event.type == "rollback" else "note"
    return doc.Told(type=told, address=change and str(change.ref), message=event.message)


def summary_line(report: Report, exit_code: int, *, now: datetime) -> doc.Summary:
    """The last line of `apply --json`: what was done, not what was planned."""
    error = doc.ErrorItem(what=report.error, why=report.why, fix=report.fix)
    return doc.Summary(
        type="summary",
        **head(report.plan.host, now),
        config=_config(report.plan.config),
        fingerprint=report.plan.fingerprint,
        checks=_checks(report.checks),
        notes=list(report.notes),
        error=error if report.error else None,
        summary=_counts(report.done, report.plan.ignored),
        elapsed_s=round(report.elapsed_s, 3),
        result=report.result,
        exit_code=exit_code,
    )


def dumped(document: BaseModel, *, indent: int | None = None) -> str:
    """`document` as JSON text: one line, or indented for people; safe on a terminal.

    JSON itself escapes ASCII's control characters; the others come from names of files as well.
    """
    text = json.dumps(document.model_dump(mode="json"), ensure_ascii=False, indent=indent)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def change_item(change: Change) -> doc.ResourceChange:
    """`change` with only what differs, and nothing sensitive."""
    fields = fields_of(change)
    before = {field.name: _shown(field, field.before) for field in fields}
    after = {field.name: _shown(field, field.after) for field in fields}
    return doc.ResourceChange(
        address=str(change.ref),
        kind=change.ref.kind,
        name=change.ref.name,
        site=change.sites[0] if change.sites else None,
        sites=list(change.sites),
        change=doc.ChangeValues(
            actions=[change.action],
            before=None if change.before is None else before,
            after=None if change.after is None else after,
        ),
        cause=change.cause,
        because=change.reason,
        places=[str(place) for place in change.positions],
    )


def finding_item(finding: Finding) -> doc.FindingItem:
    return doc.FindingItem(
        rule=finding.rule,
        severity=finding.severity,
        what=finding.what,
        evidence=list(finding.evidence),
        fix=finding.fix,
        apply_fixes=finding.apply_fixes,
        source=finding.source,
    )


def _plan_fields(
    plan: Plan, exit_code: int, now: datetime, full: bool, checks: Sequence[Check]
) -> dict[str, Any]:
    return {
        **head(plan.host, now),
        "config": _config(plan.config),
        "fingerprint": plan.fingerprint,
        "partial": plan.partial,
        "resource_changes": [change_item(change) for change in listed(plan, full=full)],
        **_beside_changes(plan),
        "checks": _checks(checks),
        "summary": _counts(plan.changes, plan.ignored),
        "result": "planned",
        "exit_code": exit_code,
    }


def _beside_changes(plan: Plan) -> dict[str, Any]:
    return {
        "conflicts": [
            doc.ResourceConflict(
                address=str(conflict.ref),
                field=conflict.field,
                values=list(conflict.values),
                places=[str(place) for place in conflict.positions],
            )
            for conflict in plan.conflicts
        ],
        "unknown": [
            doc.FailedReading(address=str(reading.ref), reason=reading.reason)
            for reading in plan.unknown
        ],
        "behaviour_changes": [
            doc.BehaviourChangeItem(request=item.request, before=item.before, after=item.after)
            for item in plan.behaviour_changes
        ],
        "ignored_changes": [
            doc.IgnoredChange(
                address=item.address, field=item.field, reason=item.reason, until=item.until
            )
            for item in plan.ignored_changes
        ],
        "findings": [finding_item(finding) for finding in plan.findings],
    }


def head(host: str, now: datetime) -> dict[str, str]:
    timestamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"reconcile_version": __version__, "host": host, "timestamp": timestamp}


def _config(origin: ConfigOrigin | None) -> doc.ConfigFile | None:
    if origin is None:
        return None
    return doc.ConfigFile(file=origin.file, digest=origin.digest, git_commit=origin.git_commit)


def _shown(field: FieldChange, value: Any) -> Any:
    return SENSITIVE if field.sensitive and value is not None else value


def _checks(checks: Iterable[Check]) -> list[doc.CheckItem]:
    return [_check(check) for check in checks]


def _check(check: Check) -> doc.CheckItem:
    return doc.CheckItem(name=check.name, status=check.status, detail=check.detail)


def _counts(changes: Iterable[Change], ignored: int) -> doc.Counts:
    actions: list[Action] = [change.action for change in changes]
    return doc.Counts(
        add=actions.count("create"),
        change=actions.count("update"),
        destroy=actions.count("delete"),
        ignored=ignored,
    )
