"""What a person reads: equal plans once, and why a host is not as it should be."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.fleet.answer import HostAnswer, State, read_answer, silent_since
from reconcile.fleet.fleet_documents import exit_code_of, fleet_document
from reconcile.fleet.fleet_text import fleet_text
from reconcile.fleet.work import Command

CHANGE = {
    "address": "file:/a",
    "cause": "drift",
    "change": {"actions": ["update"], "before": {"mode": "0600"}, "after": {"mode": "0644"}},
}
COMMANDS: tuple[Command, ...] = ("plan", "apply", "drift", "verify", "doctor", "status")
NOTE = {"severity": "note", "rule": "variables", "what": "Variables: name = "}


def test_hosts_with_the_same_plan_are_one_group_whatever_their_notes() -> None:
    answers = {
        name: HostAnswer(
            "drift", 2, {"resource_changes": [CHANGE], "findings": [NOTE | {"fix": name}]}
        )
        for name in "abc"
    }

    document = fleet_document("plan", answers, now=datetime(2026, 1, 1, tzinfo=UTC), exit_code=0)

    assert [["a", "b", "c"]] == [group.hosts for group in document.groups]
    text = fleet_text("drift", answers)
    assert "3 hosts: a, b, c\n  ~ file:/a: mode 0600 -> 0644 (drift)" in text
    assert "3 hosts: 0 in sync, 3 to change." in text


def test_checks_that_fail_are_named() -> None:
    bad = {"status": "fail", "name": "probe:a", "detail": "502"}
    good = {"status": "pass", "name": "probe:b", "detail": ""}

    text = fleet_text("drift", {"a": HostAnswer("failed", 3, {"checks": [bad, good]})})

    assert "fail: probe:a: 502" in text
    assert "probe:b" not in text


def test_nothing_of_a_host_controls_a_terminal() -> None:
    change = CHANGE | {"address": "file:/\x1b[2J"}
    check = {"status": "fail", "name": "\x1b[2J", "detail": "\r"}
    finding = {"severity": "error", "what": "\x1b[2J", "rule": "x", "fix": "\x07"}
    document = {"resource_changes": [change], "checks": [check], "findings": [finding]}
    row = {"number": "x", "result": "\x1b[2J", "user": "\x07", "at": "\r"}

    for command in COMMANDS:
        answers = {"\x1b": HostAnswer("drift", 2, document | {"entries": [row]}, problem="x")}
        assert not {"\x1b", "\r", "\x07"} & {*fleet_text(command, answers)}, command


@pytest.mark.parametrize(
    ("states", "stopped", "code"),
    [
        (["in_sync", "applied"], False, 0),
        (["drift", "in_sync"], False, 2),
        (["drift", "stale"], False, 5),
        (["drift", "stale", "unreachable"], False, 1),
        (["stale", "unknown"], False, 1),
        (["failed", "unreachable"], False, 3),
        (["failed", "skipped"], True, 6),
    ],
)
def test_the_worst_exit_code_holds(states: list[State], stopped: bool, code: int) -> None:
    assert code == exit_code_of([*map(HostAnswer, states)], changes=True, stopped=stopped)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ("resource_changes", "change", "actions", "before", "after", "checks", "findings")
            )
            | st.sampled_from(("status", "entries", "number", "history", "summary", "timestamp"))
            | st.sampled_from(("error", "what", "result", "exit_code", "format_version")),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON_VALUES, st.sampled_from(["0", "1", "2", "3", "5"]))
def test_any_document_of_a_host_can_be_shown(value: object, code: str) -> None:
    for command in COMMANDS:
        parts = {"code": code, "out": json.dumps(value), "document": json.dumps(value)}
        answers = {"a": silent_since(read_answer(command, parts), datetime(2026, 1, 1, tzinfo=UTC))}

        fleet_text(command, answers)
        fleet_document(command, answers, now=datetime(2026, 1, 1, tzinfo=UTC), exit_code=0)
