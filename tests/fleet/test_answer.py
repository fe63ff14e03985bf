"""A host may be hostile: what it sends is read within limits, or it is unknown."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.fleet.answer import HostAnswer, as_applied_before, read_answer, silent_since
from reconcile.fleet.script import HEADER, parts

PLAN = json.dumps({"format_version": "1.4", "resource_changes": [{"address": "file:/a"}]})


@pytest.mark.parametrize(
    ("command", "found", "state"),
    [
        ("plan", {"code": "0", "document": PLAN}, "drift"),
        ("plan", {"code": "0", "document": '{"format_version": "1.0"}'}, "in_sync"),
        ("plan", {"code": "1", "err": "Error"}, "error"),
        ("drift", {"code": "2", "out": PLAN}, "drift"),
        ("drift", {"code": "3", "out": PLAN}, "failed"),
        ("apply", {"code": "0", "out": '{"type": "note"}\n{"result": "applied"}'}, "applied"),
        ("apply", {"code": "0", "out": '{"result": "no_changes"}'}, "in_sync"),
        ("apply", {"code": "3", "out": '{"result": "rolled_back"}'}, "failed"),
        ("apply", {"code": "4"}, "locked"),
        ("apply", {"code": "5"}, "stale"),
        ("apply", {"code": "6"}, "locked"),
        ("apply", {"code": "124"}, "unknown"),
        ("drift", {"code": "0", "out": "hello"}, "unknown"),
        ("drift", {"code": "0", "out": '{"format_version": "2.0"}'}, "unknown"),
        ("drift", {"code": "0", "out": "[" * 100_000}, "unknown"),
        ("drift", {"code": "2", "out": '{"a": 1, "a": 2}'}, "unknown"),
        ("drift", {"code": "2", "out": '{"a":' * 500 + "1" + "}" * 500}, "unknown"),
        ("drift", {"code": "0"}, "unknown"),
        ("drift", {"code": "٣"}, "unknown"),
        ("drift", {"out": PLAN}, "unknown"),
        ("drift", {"refused": ""}, "unknown"),
        ("drift", {"files": ""}, "unknown"),
    ],
)
def test_an_answer_is_what_it_shows_or_unknown(
    command: str, found: dict[str, str], state: str
) -> None:
    assert state == read_answer(command, found).state


@pytest.mark.parametrize(
    ("changes", "state"), [([{"address": "file:/a"}], "drift"), ([], "in_sync")]
)
def test_a_plan_under_a_hold_is_a_plan_and_names_the_hold(changes: object, state: str) -> None:
    hold = {"rule": "hold", "severity": "note", "what": "ann has held this host"}
    plan = json.dumps({"resource_changes": changes, "findings": [{"rule": "x"}, hold]})

    answer = read_answer("plan", {"code": "6", "document": plan, "saved.plan": "{}"})

    assert (state, 6, b"{}\n") == (answer.state, answer.exit_code, answer.saved_plan)
    assert "ann has held this host" == answer.problem


def test_nothing_of_an_answer_controls_a_terminal() -> None:
    answer = read_answer("plan", {"code": "1", "err": "\x1b]0;x\x07\nno", "out": "\x1b[2J"})

    assert "\\x1b]0;x\\x07\nno" == answer.problem
    assert "\\x1b[2J" == answer.text


def test_why_an_apply_failed_is_in_its_answer() -> None:
    error = {"what": "Verification failed", "why": "404", "fix": ""}
    found = {"code": "3", "out": json.dumps({"result": "rolled_back", "error": error})}

    assert "Verification failed\n404" == read_answer("apply", found).problem


@given(st.lists(st.text()), st.sampled_from(["plan", "apply", "drift", "verify", "doctor"]))
def test_any_output_is_an_answer(lines: list[str], command: str) -> None:
    assert isinstance(read_answer(command, parts(lines)), HostAnswer)


@given(st.dictionaries(st.sampled_from(["code", "out", "err", "document"]), st.text()))
def test_any_parts_are_an_answer(found: dict[str, str]) -> None:
    assert isinstance(read_answer("plan", found), HostAnswer)


def test_an_answer_is_split_at_its_headers() -> None:
    lines = ["motd", f"{HEADER}code", "0", f"{HEADER}out", "a", "", "b"]

    assert {"code": "0", "out": "a\n\nb"} == parts(lines)


@pytest.mark.parametrize(
    ("rows", "state"),
    [
        ([{"number": 4, "fingerprint": "f", "result": "applied"}], "applied"),
        ([{"number": 4, "fingerprint": "f", "result": "rolled_back"}], "failed"),
        ([{"number": 3, "fingerprint": "f", "result": "applied"}], "stale"),
        ([{"number": 4, "fingerprint": "g", "result": "applied"}], "stale"),
        ([None, {"number": "4", "fingerprint": "f"}], "stale"),
        ("rows", "stale"),
    ],
)
def test_the_history_shows_how_an_interrupted_apply_ended(rows: object, state: str) -> None:
    saved = json.dumps({"fingerprint": "f", "serial": 3}).encode()
    history = json.dumps({"entries": rows})

    assert state == as_applied_before(HostAnswer("stale", 5), history, saved).state


def reading(at: str, code: int) -> str:
    return json.dumps({"format_version": "1.0", "timestamp": at, "exit_code": code})


@pytest.mark.parametrize(
    ("code", "state"), [(0, "in_sync"), (2, "drift"), (3, "failed"), (1, "error")]
)
def test_the_status_of_a_host_is_that_of_its_newest_reading(code: int, state: str) -> None:
    lines = [reading("2026-01-02T00:00:00Z", code), reading("2026-01-01T00:00:00Z", 0), "{"]
    found = {"code": "0", "out": '{"entries": []}', "readings": "\n".join(lines)}

    assert state == read_answer("status", found).state


def test_a_host_without_readings_has_a_history() -> None:
    answer = read_answer("status", {"code": "0", "out": '{"entries": []}', "readings": ""})

    assert ("in_sync", {"entries": []}) == (answer.state, answer.document)


@pytest.mark.parametrize(
    ("at", "state"),
    [
        ("2026-01-01T11:59:59Z", "silent"),
        ("2026-01-01T12:00:01Z", "in_sync"),
        ("yesterday", "in_sync"),
        ("2026-01-01T00:00:00", "in_sync"),
    ],
)
def test_a_host_whose_last_reading_is_old_is_silent(at: str, state: str) -> None:
    answer = HostAnswer("in_sync", 0, {"timestamp": at})

    assert state == silent_since(answer, datetime(2026, 1, 1, 12, tzinfo=UTC)).state
