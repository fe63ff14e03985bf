"""In which state a host is, by its documents: what they do not show is unknown."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconcile.errors import ReconcileError
from reconcile.report.host_document import MOST_BYTES
from reconcile.report.host_record import records_of
from reconcile.report.read_documents import read_documents
from tests.report.readings import EARLIER, NOW, change, check, drift, read

DEEP = json.loads("[" * 200 + "]" * 200)
LIMIT = timedelta(hours=26)
AT = datetime(2026, 11, 28, 15, tzinfo=UTC)
VERIFY = {"format_version": "1.0", "host": "web1", "timestamp": NOW, "healthy": True}
SUMMARY = {**VERIFY, "type": "summary", "checks": [check()]}


def state_of(*documents: dict[str, Any]) -> str:
    [record] = records_of(read(*documents))
    return record.state(AT, LIMIT)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (drift(), "in_sync"),
        (drift("web1", change()), "drifted"),
        (drift("web1", change(), state="in_sync"), "drifted"),
        (drift("web1", change(cause="upgrade"), state="in_sync"), "in_sync"),
        (drift(checks=[check(status="fail")], state="unhealthy"), "unhealthy"),
        (drift(checks=[check(status="fail")], state="in_sync"), "unhealthy"),
        (drift(checks=[check(status="unknown")], state=""), "unhealthy"),
        (drift(checks=[check(status="fail", before_apply="fail")]), "in_sync"),
        (drift(unknown=[{"address": "file:/a", "reason": "denied"}]), "unknown"),
        (drift(conflicts=[{"address": "file:/a", "field": "mode"}]), "unknown"),
        (drift(partial=True), "unknown"),
        (drift(state="unknown", error={"what": "main could not be fetched"}), "unknown"),
        (drift(timestamp="2026-11-27T12:00:00Z"), "silent"),
        (drift("web1", change(), timestamp=EARLIER), "silent"),
    ],
)
def test_the_state_of_a_host(document: dict[str, Any], expected: str) -> None:
    assert expected == state_of(document)


def test_a_host_that_was_only_verified_or_diagnosed_is_unknown() -> None:
    assert "unknown" == state_of({**VERIFY, "checks": [check()]})
    assert "unknown" == state_of({**VERIFY, "findings": [], "rules": 50})


def test_a_run_that_failed_after_a_good_one_leaves_the_host_unknown() -> None:
    failed = {"format_version": "1.0", "host": "web1", "timestamp": NOW, "error": {"what": "no"}}

    assert "unknown" == state_of(drift(timestamp="2026-11-28T08:00:00Z"), failed)


def test_the_newest_document_of_each_subject_counts() -> None:
    old = drift("web1", change(), timestamp="2026-11-28T08:00:00Z")

    assert "in_sync" == state_of(drift(), old)
    assert "unhealthy" == state_of(drift(), {**VERIFY, "checks": [check(status="fail")]})


@pytest.mark.parametrize(("result", "expected"), [("applied", "in_sync"), ("failed", "drifted")])
def test_an_apply_leaves_its_plan_pending_unless_it_succeeded(result: str, expected: str) -> None:
    planned = {"type": "planned_change", "change": change()}
    summary = {"type": "summary", **VERIFY, "checks": [check()], "result": result}
    lines = "\n".join(json.dumps(one) for one in (planned, summary))

    [record] = records_of(read_documents(lines.encode(), "apply.json"))

    assert expected == record.last_state


def test_the_hosts_of_a_fleet_have_the_names_that_the_fleet_gives_them() -> None:
    fleet = {
        "format_version": "1.0",
        "timestamp": NOW,
        "summary": {"hosts": 2},
        "hosts": {
            "eu-1": {"state": "in_sync", "document": drift("localhost")},
            "eu-2": {"state": "unreachable", "document": None, "problem": "no route"},
            "eu-3": {"state": "applied", "document": SUMMARY | {"result": "applied"}},
            "eu-4": {"state": "failed", "document": SUMMARY | {"result": "rolled_back"}},
        },
    }

    states = {one.name: one.state(AT, LIMIT) for one in records_of(read(fleet))}

    assert {"eu-1": "in_sync", "eu-2": "unknown", "eu-3": "in_sync", "eu-4": "unknown"} == states


def test_keys_of_later_versions_are_ignored_and_other_formats_refused() -> None:
    assert "in_sync" == state_of(drift(format_version="1.7", later={"x": 1}))
    with pytest.raises(ReconcileError, match="cannot be shown"):
        read(drift(format_version="2.0"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"version: 1",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"format_version": "1.0", "checks": "many"}',
        b'{"format_version": "1.0", "host": "", "checks": []}',
        json.dumps(drift(timestamp="yesterday")).encode(),
        json.dumps(drift(resource_changes=[{"address": 3}])).encode(),
        json.dumps(drift("web1", change(before=DEEP))).encode(),
        b" " * (MOST_BYTES + 1),
    ],
)
def test_what_is_no_document_of_a_host_is_an_error(data: bytes) -> None:
    with pytest.raises(ReconcileError) as error:
        read_documents(data, "web1.json")

    assert "web1.json cannot be shown" == error.value.what
    assert error.value.why
    assert len(error.value.why) < 2000
