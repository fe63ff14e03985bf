"""What a script reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reconcile.engine.apply_report import Event
from reconcile.engine.drift_report import Drift
from reconcile.engine.model import Plan
from reconcile.output.json import (
    drift_document,
    error_document,
    event_document,
    plan_document,
    planned_event,
    summary_event,
    to_json,
    verify_document,
)
from reconcile.output.schemas import output_schemas, schema_text
from tests.output import samples

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
AT = "2026-11-22T08:00:00Z"
SCHEMAS = Path(__file__).parents[2] / "schemas"


def valid(name: str, text: str) -> Any:
    """The document in `text`, which its published schema accepts."""
    document = json.loads(text)
    jsonschema.validate(document, json.loads((SCHEMAS / f"{name}.schema.json").read_text()))
    return document


def test_a_plan_reads_as_agreed(golden: Callable[[str, str], None]) -> None:
    document = plan_document(samples.EVERYTHING, 1, now=NOW, checks=samples.CHECKS)

    golden("everything.json", to_json(document, indent=2))


@pytest.mark.parametrize(
    "plan", [samples.EVERYTHING, samples.CONFLICTING, samples.CLEAN, samples.HOSTILE]
)
def test_every_plan_has_the_published_form(plan: Plan) -> None:
    valid("plan", to_json(plan_document(plan, 0, now=NOW)))


def test_bytes_that_are_no_text_are_escaped() -> None:
    [item] = valid("plan", to_json(plan_document(samples.HOSTILE, 2, now=NOW)))["resource_changes"]

    assert r"\xff" in item["address"]


def test_a_secret_is_never_shown() -> None:
    shown = to_json(plan_document(samples.EVERYTHING, 2, now=NOW))

    assert "TOKEN" not in shown
    assert '{"content": "(sensitive)"}' in shown


def test_before_and_after_hold_only_what_changes() -> None:
    change = planned_event(samples.UPDATED).change.change

    assert {"mode", "content"} == set(change.before or {}) == set(change.after or {})


def test_a_created_resource_has_no_before() -> None:
    change = planned_event(samples.CREATED).change.change

    assert (change.before, change.after) == (None, {"mode": "0644", "content": "ok\n"})


def test_sync_and_health_are_separate() -> None:
    document = valid(
        "drift", to_json(drift_document(Drift(samples.CLEAN, samples.CHECKS, AT), now=NOW))
    )

    assert (document["in_sync"], document["healthy"]) == (True, False)


def test_a_failed_reading_is_not_in_sync() -> None:
    blind = Plan("web1", (), "sha256:abc", unknown=samples.EVERYTHING.unknown)

    assert not drift_document(Drift(blind, (), AT), now=NOW).in_sync


@pytest.mark.parametrize(
    "event",
    [
        Event("planned_change", samples.UPDATED),
        Event("apply_start", samples.UPDATED),
        Event("apply_complete", samples.UPDATED, elapsed_s=0.25),
        Event("apply_errored", samples.UPDATED, message="disk full"),
        Event("rollback", message="undoing 3 effects"),
        Event("rollback", samples.UPDATED),
        Event("check", check=samples.CHECKS[0]),
        Event("note", message="kept"),
    ],
)
def test_every_event_has_the_published_form(event: Event) -> None:
    line = valid("apply", to_json(event_document(event)))

    assert event.type == line["type"]


def test_the_summary_counts_what_was_done_not_what_was_planned() -> None:
    line = valid("apply", to_json(summary_event(samples.ROLLED_BACK, 3, now=NOW)))

    counts = {"add": 1, "change": 0, "destroy": 0, "ignored": 2, "files_removed": 0}
    assert line["summary"] == counts
    assert (line["result"], line["exit_code"]) == ("rolled_back", 3)
    assert line["error"]["why"] == samples.ROLLED_BACK.why


def test_a_line_is_one_line() -> None:
    assert "\n" not in to_json(event_document(Event("planned_change", samples.UPDATED)))


@pytest.mark.parametrize(
    "name", ["\x80", "\x7f", "\x1b[31m", "\u202egpj", "\u2028", "\U000e0001", "\n"]
)
@pytest.mark.parametrize("indent", [None, 2])
def test_nothing_unprintable_is_in_it_and_nothing_is_lost(name: str, indent: int | None) -> None:
    text = to_json(error_document("x", name, "", 1), indent=indent)

    assert all(line.isprintable() for line in text.split("\n"))
    assert name == json.loads(text)["error"]["why"]


def test_verification_and_errors_have_the_published_form() -> None:
    verified = valid("verify", to_json(verify_document(samples.CHECKS, "web1", 3, now=NOW)))
    error = valid("error", to_json(error_document("what", "why", "fix", 1)))

    assert (verified["result"], error["result"]) == ("failed", "error")


def test_what_could_not_be_checked_has_not_failed() -> None:
    checks = [check for check in samples.CHECKS if check.status != "fail"]

    document = valid("verify", to_json(verify_document(checks, "web1", 1, now=NOW)))

    assert ("incomplete", False) == (document["result"], document["healthy"])


@pytest.mark.parametrize("name", sorted(output_schemas()))
def test_the_published_schema_is_the_present_one(name: str) -> None:
    """If this fails: `reconcile schema --write schemas`."""
    published = (SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8")

    assert schema_text(output_schemas()[name]) == published
