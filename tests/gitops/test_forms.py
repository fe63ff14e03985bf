"""Text, JSON, Markdown, metrics and the exit code say the same of every host."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from reconcile.engine.drift_report import Drift
from reconcile.engine.ledger import LedgerRow
from reconcile.engine.model import Check, Conflict, Plan, Ref, Resource
from reconcile.gitops import metrics
from reconcile.output.json import drift_document, plan_document, to_json
from reconcile.output.markdown import MOST_CHARACTERS, drift_markdown, plan_markdown
from reconcile.output.text import drift_text, plan_text
from tests.support.world import Clock, Note, Shelf, World, declare
from tests.support.world import planned as plan_of

AT, NOW = "2026-11-22T08:00:00Z", datetime(2026, 11, 22, 8, tzinfo=UTC)
SCHEMAS = Path(__file__).parents[2] / "schemas"
SCHEMA = json.loads((SCHEMAS / "drift.schema.json").read_text())
VALID = jsonschema.Draft202012Validator(SCHEMA)
TOTALS = re.compile(r"Plan: (\d+) to add, (\d+) to change, (\d+) to destroy\.")
SUMMARY = re.compile(
    r"In sync: (yes|no) \((\d+) drift, (\d+) pending, (\d+) both\)\. Healthy: (yes|no)\."
    r"(?: Differs since (\S+)\.)?(?:\*\*|$)",
    re.MULTILINE,
)

names = st.sampled_from(["/a", "/b", "/b/c", "/d\x1b[2J", "/e`<@x>"])
texts = st.sampled_from(["x", "y\n", "`````\nz\n", None])
things = st.one_of(
    st.builds(Note, path=names, text=texts, colour=st.sampled_from(["red", None])),
    st.builds(Shelf, path=names, colour=st.sampled_from(["red", "blue", None])),
    st.builds(Clock, path=names, hour=st.sampled_from([1, 2, None])),
)
hosts = st.dictionaries(names, things, max_size=5)
checks = st.lists(
    st.builds(
        Check,
        st.sampled_from(["GET /", "GET /x"]),
        st.sampled_from(["pass", "fail", "unknown", "skipped"]),
        st.just("seen"),
    ),
    max_size=3,
).map(tuple)


@st.composite
def drifts(draw: Any) -> Drift:
    """A host that was applied to, changed since, and has a YAML that moved on."""
    there: dict[str, Resource] = {
        item.path: replace(item, colour="red") if item.kind != "clock" else item
        for item in draw(hosts).values()
    }
    declared = declare(*draw(hosts).values())
    owned = {
        item.ref: LedgerRow(("shop",), True, False, item.digests(), AT)
        for item in draw(hosts).values()
    }
    broken = draw(st.sets(names, max_size=1)) if draw(st.integers(0, 3)) == 0 else set()
    plan = plan_of(World(there, broken), declared, owned)
    if draw(st.integers(0, 9)) == 0:
        odd = Conflict(Ref("note", "/a"), "text", ("1", "2"), ())
        plan = Plan("web1", (), "sha256:0", conflicts=(odd,))
    seen = {str(change.ref): {"text": "2026-11-20T08:00:00Z"} for change in plan.changes[:1]}
    return Drift(plan, draw(checks), AT, seen)


@settings(max_examples=1000, suppress_health_check=list(HealthCheck))
@given(drifts())
def test_every_format_of_a_drift_report_agrees(drift: Drift) -> None:
    document = json.loads(to_json(drift_document(drift, now=NOW)))
    text, markdown = drift_text(drift), drift_markdown(drift)

    VALID.validate(document)
    assert drift.exit_code == document["exit_code"] == expected_code(drift)
    assert summary_of(document) == SUMMARY.findall(text)[-1] == SUMMARY.findall(markdown)[-1]
    if drift.plan.changes and not drift.plan.conflicts:
        counts = tuple(str(document["summary"][key]) for key in ("add", "change", "destroy"))
        assert [counts] == TOTALS.findall(text) == TOTALS.findall(markdown)
    assert document["state"] == state_in(metrics.metrics_text(drift).decode())
    assert "\x1b" not in text + markdown + to_json(drift_document(drift, now=NOW))


def expected_code(drift: Drift) -> int:
    if drift.plan.unknown or drift.plan.conflicts:
        return 1
    if drift.plan.changes:
        return 2
    return 3 if any(check.status in ("fail", "unknown") for check in drift.checks) else 0


def summary_of(document: dict[str, Any]) -> tuple[str, ...]:
    causes = [change["cause"] for change in document["resource_changes"]]
    counts = (str(causes.count(cause)) for cause in ("drift", "pending", "both"))
    words = {True: "yes", False: "no"}
    since = document["first_seen"] or ""
    return (words[document["in_sync"]], *counts, words[document["healthy"]], since)


def state_in(text: str) -> str:
    [state] = [
        sample.labels["state"]
        for family in text_string_to_metric_families(text)
        if family.name == "reconcile_drift_state"
        for sample in family.samples
        if sample.value == 1
    ]
    return state


@settings(max_examples=200)
@given(drifts())
def test_every_format_of_a_plan_agrees(drift: Drift) -> None:
    plan = drift.plan
    document = plan_document(plan, plan.exit_code(detailed=True), now=NOW)
    counts = (document.summary.add, document.summary.change, document.summary.destroy)

    for told in (plan_text(plan), plan_markdown(plan)):
        found = [tuple(map(int, found)) for found in TOTALS.findall(told)]
        assert found == ([counts] if plan.changes and not plan.conflicts else [])


def many(count: int, text: str) -> Plan:
    wanted = declare(*(Note(path=f"/n{number}", text=text) for number in range(count)))
    return plan_of(World(), wanted)


def test_a_comment_is_never_too_long_and_names_what_it_omits() -> None:
    plan = many(3000, "line\n" * 50)

    markdown = plan_markdown(plan)

    shown = markdown.count("<details>")
    assert len(markdown) < MOST_CHARACTERS
    assert f"{3000 - shown} of 3000 changes are not shown here" in markdown
    assert "Plan: 3000 to add" in markdown


def test_nothing_on_the_host_can_write_markdown() -> None:
    hostile = "a\n```\n</details>\n# @team <script>\n"
    plan = plan_of(
        World({"/<b>@all</b>": Note(path="/<b>@all</b>", text="x\n")}),
        declare(Note(path="/<b>@all</b>", text=hostile)),
    )

    markdown = plan_markdown(plan)

    assert "<b>" not in markdown
    assert "@all" not in markdown
    # The fence is longer than any in the text, so that the text cannot end it.
    assert "````diff\n" in markdown
    assert 1 == markdown.count("\n````\n")


def test_the_time_at_which_a_certificate_expires_is_a_metric_and_a_line() -> None:
    check = Check(
        "certificate:shop", "pass", "expires in 35 days", expires="2027-01-01T00:00:00+00:00"
    )
    drift = Drift(Plan("web1", (), "sha256:0"), (check,), AT)

    metric = 'reconcile_certificate_expiry_timestamp_seconds{site="shop"} 1.7987616e+09'
    assert metric in metrics.metrics_text(drift).decode()
    assert "certificate:shop: expires in 35 days" in drift_text(drift)
