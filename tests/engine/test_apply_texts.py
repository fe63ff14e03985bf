"""The texts of an apply: as diffs, without secrets, bounded in size, number and age."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconcile.engine import apply_texts, step_output
from reconcile.engine.apply_texts import (
    HIDDEN,
    TOO_LONG,
    ChangedText,
    changed_texts,
    read_steps,
    read_texts,
    write_texts,
)
from reconcile.engine.diff import differences
from reconcile.engine.history import Actor, HistoryEntry, HistoryRow
from reconcile.engine.model import Change, Plan, Ref
from reconcile.engine.step_output import StepOutput, bounded
from reconcile.filesystem.state_dir import StateDir
from reconcile.nginx.render.site_config import MANAGED_HEADER
from reconcile.resources.file import File
from reconcile.system import Host

REF = Ref("file", "/etc/a")


def file(text: str, *, sensitive: bool = False) -> File:
    return File(path=REF.name, content=text.encode(), sensitive=sensitive)


def change(before: File | None, after: File | None) -> Change:
    return Change(REF, before, after, fields=differences(before, after))


def plan(*changes: Change, fingerprint: str = "one") -> Plan:
    return Plan("h", changes, fingerprint)


def row(number: int, fingerprint: str = "one") -> HistoryRow:
    entry = HistoryEntry("2026-11-22T08:00:00Z", Actor(), "applied", fingerprint=fingerprint)
    return HistoryRow(number, "", entry)


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(str(tmp_path / "state"))


def test_what_is_new_and_what_differs_is_a_unified_diff(host: Host) -> None:
    made, changed = change(None, file("a\nb\n")), change(file("a\nb\n"), file("a\nc\n"))

    [first, second] = changed_texts(plan(made, changed), host)

    assert ("create", "@@ -0,0 +1,2 @@\n+a\n+b") == (first.action, first.diff)
    assert ("update", "@@ -1,2 +1,2 @@\n a\n-b\n+c") == (second.action, second.diff)


def test_a_sensitive_text_is_named_and_not_kept(host: Host) -> None:
    secret = change(None, file("KEY=hunter2\nb\n", sensitive=True))
    changed = change(file("KEY=hunter2\n", sensitive=True), file("KEY=3\n", sensitive=True))

    found = changed_texts(plan(secret, changed), host)

    assert [("", HIDDEN)] * 2 == [(text.diff, text.omitted) for text in found]


def test_only_a_removed_file_of_reconciles_own_keeps_its_text(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    removal = Change(Ref("file", str(path)), File.from_name(str(path)), None)

    path.write_text("KEY=hunter2\n")
    assert () == changed_texts(plan(removal), host)

    path.write_text(f"{MANAGED_HEADER}\nlisten 80;\n")
    [text] = changed_texts(plan(removal), host)
    assert "-listen 80;" in text.diff


def test_a_text_that_is_too_long_is_named_and_not_kept(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = change(None, file("x\n" * (apply_texts.MOST_COMPARED // 2 + 1)))
    [text] = changed_texts(plan(long), host)
    assert ("", TOO_LONG) == (text.diff, text.omitted)

    monkeypatch.setattr(apply_texts, "MOST_STORED", 30)
    found = changed_texts(plan(*[change(None, file("a\n"))] * 3), host)
    assert ["", TOO_LONG, TOO_LONG] == [text.omitted for text in found]


def test_texts_belong_to_the_apply_that_they_were_kept_for(state: StateDir) -> None:
    texts = (ChangedText("file:/etc/a", "create", "content", "+a"),)
    write_texts(state, 7, plan(), texts)

    assert texts == read_texts(state, row(7))
    assert read_texts(state, row(8)) is None
    assert read_texts(state, row(7, fingerprint="another")) is None


def step(output: bytes = b"done\n", error: str = "") -> StepOutput:
    return StepOutput.of("release:shop", "1a2b", "pip install", 1.23, output, error)


def test_what_steps_wrote_is_kept_with_the_texts(state: StateDir) -> None:
    steps = (step(), step(b"no column\n", "exit status 1"))
    write_texts(state, 7, plan(), (), steps)

    assert steps == read_steps(state, row(7))
    assert () == read_texts(state, row(7))
    assert () == read_steps(state, row(8)) == read_steps(state, row(7, fingerprint="another"))


def test_texts_of_an_older_version_have_no_steps(state: StateDir) -> None:
    write_texts(state, 7, plan(), ())
    body = json.loads(state.read("texts/00000007.json") or b"")
    del body["steps"]
    state.write("texts/00000007.json", json.dumps(body).encode())

    assert () == read_steps(state, row(7))


def test_the_end_of_a_long_output_is_kept() -> None:
    found = step(b"x" * step_output.MOST_CHARACTERS + b"the error")

    assert (9, step_output.MOST_CHARACTERS) == (found.omitted, len(found.output))
    assert found.output.endswith("the error")


def test_of_many_steps_the_last_ones_keep_their_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_output, "MOST_STORED", 10)

    found = bounded([step(b"12345")] * 3)

    assert [("", 5), ("12345", 0), ("12345", 0)] == [(one.output, one.omitted) for one in found]


def test_the_oldest_texts_go(state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply_texts, "RETAINED", 2)
    for number in (1, 2, 3):
        write_texts(state, number, plan(), ())
    assert ["00000002.json", "00000003.json"] == state.list_names("texts")

    monkeypatch.setattr(apply_texts, "MOST_DAYS", -1)
    write_texts(state, 4, plan(), ())
    assert [] == state.list_names("texts")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"format": 9, "at": "2026-01-01"}'])
def test_damaged_texts_are_none(state: StateDir, data: bytes) -> None:
    state.write("texts/00000007.json", data)

    assert read_texts(state, row(7)) is None
