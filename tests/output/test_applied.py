"""One apply of the history, as a person reads it."""

from __future__ import annotations

from reconcile.engine.history import Actor, HistoryEntry, HistoryRow
from reconcile.engine.step_output import StepOutput
from reconcile.output.applied import applied_text

ENTRY = HistoryEntry("2026-11-22T08:00:00Z", Actor("root", "reconcile apply"), "applied")
ROW = HistoryRow(7, "", ENTRY)


def shown(*steps: StepOutput) -> str:
    return applied_text(ROW, None, diff=False, steps=steps)


def test_what_a_step_wrote_is_shown_below_its_command() -> None:
    step = StepOutput("release:shop", "1a2b", "pip install", 12.5, output="one\ntwo\n")

    assert "release:shop 1a2b: pip install (succeeded, 12.5 s)\n  one\n  two" in shown(step)


def test_a_step_that_failed_shows_how_and_what_is_omitted() -> None:
    step = StepOutput("release:shop", "1a2b", "pip", 1, "exit status 1", "no such file\n", 1_200)

    assert (
        "pip (failed: exit status 1, 1 s)\n  … 1,200 characters are not shown\n  no such file"
    ) in shown(step)


def test_a_step_cannot_control_the_terminal() -> None:
    assert "\x1b" not in shown(StepOutput("release:shop", "1a2b", "pip", 1, output="\x1b[2J"))
