"""Random YAMLs of the whole schema, applied one after another to a host that people change, too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import Phase, given, settings

from reconcile.engine.selection import Selection
from reconcile.errors import ReconcileError
from tests.laws.box import a_box, memory_folder
from tests.laws.generated import Step, ways
from tests.laws.laws import Trace, Way
from tests.laws.rows import ROWS
from tests.laws.smaller import KIND, smallest
from tests.support.tally import TALLY

pytestmark = pytest.mark.process

NIGHTLY = 10_000
CHUNK = 100
MOST = 3
"""Transitions in one way."""


@pytest.fixture(scope="module")
def memory() -> Iterator[str]:
    with memory_folder() as folder:
        yield folder


def follow(steps: Sequence[Step], memory: str) -> None:
    """Apply each step by every law; the last one leads to the same as it does alone."""
    TALLY["transitions between random YAMLs"] += len(steps)
    with a_box(memory) as box:
        way = Way(box)
        reports = [way.take(step, number) for number, step in enumerate(steps)]
        after, mounted = box.picture(), box.mounted()
    TALLY["of these refused, as planned"] += reports.count(None)
    # A part of a YAML, and another scope, leaves the rest of the host as the way led to it.
    scopes = {step.yaml.get("scope") for step in steps}
    is_whole = steps[-1].selection == Selection.ALL and len(scopes) == 1
    if len(steps) > 1 and reports[-1] is not None and is_whole:
        with a_box(memory) as box:
            if Way(box).take_alone(steps) is not None:
                Trace(steps, box, mounted).assert_none(after, box.picture())


@pytest.mark.parametrize("steps", ROWS.values(), ids=ROWS.keys())
def test_what_once_broke_a_law(steps: Sequence[Step], memory: str) -> None:
    follow(steps, memory)


@settings(max_examples=16)
@given(ways(MOST))
def test_every_law_holds_on_the_way_from_any_yaml_to_any_other(
    memory: str, steps: list[Step]
) -> None:
    follow(steps, memory)


@pytest.mark.nightly
@pytest.mark.parametrize("chunk", range(NIGHTLY // CHUNK))
def test_every_law_holds_on_thousands_of_ways(memory: str, chunk: int) -> None:
    done, failed = 0, {}

    def failure(steps: list[Step]) -> str:
        """Which law the way breaks, "" for none."""
        try:
            follow(steps, memory)
        except (AssertionError, OSError, ReconcileError) as error:
            return str(error).replace(memory, "") or type(error).__name__
        return ""

    # Ours shrinks whole parts of a YAML at once; Hypothesis takes minutes for each failure.
    @settings(max_examples=CHUNK, derandomize=False, phases=(Phase.generate,))
    @given(ways(MOST))
    def some_ways(steps: list[Step]) -> None:
        nonlocal done
        if done < CHUNK and (why := failure(steps)):
            failed.setdefault(why[:KIND], steps)
        done += len(steps)

    some_ways()
    if failed:
        found = (smallest(steps, failure) for steps in failed.values())
        pytest.fail("\n\n".join(f"{why}\n{steps}" for steps, why in found), pytrace=False)
