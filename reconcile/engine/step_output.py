"""What a step of a release wrote, kept beside the row of its apply in the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from reconcile.dataclass import dataclass

MOST_CHARACTERS = 16 << 10
"""Of the output of one step; its end is kept."""
MOST_STORED = 128 << 10
"""Of all steps of one apply."""


@dataclass(frozen=True)
class StepOutput:
    """A step of `address`'s release that has run; `error` is "" where it succeeded.

    `omitted`: how many characters before `output` are not kept.
    """

    address: str
    release: str
    command: str
    elapsed_s: float
    error: str = ""
    output: str = ""
    omitted: int = 0

    @classmethod
    def of(
        cls,
        address: str,
        release: str,
        command: str,
        elapsed_s: float,
        written: bytes,
        error: str = "",
    ) -> Self:
        """The step with the end of what it has `written`."""
        text = written.decode("utf-8", "backslashreplace")
        left = max(0, len(text) - MOST_CHARACTERS)
        return cls(address, release, command, round(elapsed_s, 1), error, text[left:], left)


def bounded(steps: Sequence[StepOutput]) -> tuple[StepOutput, ...]:
    """`steps`; the outputs of the first ones go where all of them are too long."""
    kept: list[StepOutput] = []
    left = MOST_STORED
    for step in reversed(steps):
        left -= len(step.output)
        is_kept = left >= 0
        omitted = step.omitted + len(step.output)
        kept.append(step if is_kept else replace(step, output="", omitted=omitted))
    return tuple(reversed(kept))
