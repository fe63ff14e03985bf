"""What a run leaves for collectors: the drift JSON without texts, secrets and evidence."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema

from reconcile.engine.drift_report import Drift
from reconcile.engine.history import Actor, HistoryEntry, HistoryRow
from reconcile.engine.model import Check, FieldChange, Finding, Plan
from reconcile.errors import ReconcileError
from reconcile.output.json import to_json
from reconcile.output.reading_documents import (
    MOST_CHANGES,
    failed_reading_document,
    reading_document,
)
from tests.output.samples import change

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
AT = "2026-11-22T08:00:00Z"
SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/reading.schema.json").read_text())
SECRET = "hunter2"
EDITED = change(
    "/etc/app.env",
    {"mode": "0600", "content": SECRET},
    {"mode": "0640", "content": "x"},
    FieldChange("mode", "0600", "0640", "drift"),
    FieldChange("content", SECRET, "x", "drift"),
    cause="drift",
)
APPLY = HistoryRow(
    7, "", HistoryEntry(AT, Actor("ann", "reconcile apply"), "failed", error=f"log: {SECRET}")
)


def drift_of(plan: Plan, *checks: Check) -> Drift:
    return Drift(plan, checks, AT, last_apply=APPLY)


def reading_of(drift: Drift) -> dict[str, Any]:
    made = reading_document(
        drift,
        run="pull",
        scope="",
        sites=["shop"],
        command="reconcile apply",
        history=[APPLY],
        exit_code=2,
        now=NOW,
    )
    found: dict[str, Any] = json.loads(to_json(made))
    jsonschema.validate(found, SCHEMA)
    return found


def test_no_text_evidence_or_detail_is_in_a_reading() -> None:
    finding = Finding("log-triage", "error", "The app fails.", (f"log: {SECRET}",), "Fix it.")
    plan = Plan("web1", (EDITED,), "sha256:0", findings=(finding,))

    reading = reading_of(drift_of(plan, Check("probe:shop GET /", "fail", f'begins "{SECRET}"')))

    assert SECRET not in json.dumps(reading)
    [shown] = reading["resource_changes"]
    assert {"mode": "0600", "content": "(omitted)"} == shown["change"]["before"]
    assert "fail" == reading["checks"][0]["status"]
    assert "The app fails." == reading["findings"][0]["what"]


def test_a_reading_names_who_applied_last_and_the_command_that_applies() -> None:
    reading = reading_of(drift_of(Plan("web1", (), "sha256:0")))

    assert ("ann", "failed") == (reading["last_apply"]["user"], reading["last_apply"]["result"])
    assert ("pull", "reconcile apply", ["shop"]) == tuple(
        reading[key] for key in ("run", "command", "sites")
    )
    assert [7] == [apply["number"] for apply in reading["history"]]


def test_a_reading_is_bounded_and_counts_what_it_leaves_out() -> None:
    many = tuple(replace(EDITED, sites=(str(n),)) for n in range(MOST_CHANGES + 3))

    reading = reading_of(drift_of(Plan("web1", many, "sha256:0")))

    assert (MOST_CHANGES, 3) == (len(reading["resource_changes"]), reading["omitted"])


def test_a_run_without_a_result_is_unknown_and_quotes_nothing() -> None:
    error = ReconcileError("main could not be fetched", f"https://{SECRET}@git", "Check it.")
    nothing = Drift(Plan("web1", (), ""), (), AT)

    made = failed_reading_document(nothing, error, run="pull", command="", now=NOW)

    reading = json.loads(to_json(made))
    jsonschema.validate(reading, SCHEMA)
    assert ("unknown", False, 1) == tuple(reading[key] for key in ("state", "in_sync", "exit_code"))
    assert "main could not be fetched" == reading["error"]["what"]
    assert SECRET not in json.dumps(reading)
