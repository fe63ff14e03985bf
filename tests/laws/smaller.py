"""The smallest way that breaks a law as a random one did."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from tests.laws.box import Yaml
from tests.laws.generated import Step, without_errors

Ways = list[Step]
KIND = 40
"""Characters by which two failures count as the same."""


def smallest(steps: Ways, failure: Callable[[Ways], str], tries: int = 100) -> tuple[Ways, str]:
    """What is left of `steps` once nothing more can be taken out of them, and its failure."""
    found = failure(steps)
    left = iter(smaller(steps))
    for _ in range(tries):
        candidate = next(left, None)
        if candidate is None:
            break
        why = failure(candidate)
        if why[:KIND] == found[:KIND]:
            steps, found, left = candidate, why, iter(smaller(candidate))
    return steps, found


def smaller(steps: Ways) -> Iterator[Ways]:
    """`steps` without one of them, or without one part of one."""
    if len(steps) > 1:
        yield from (steps[:at] + steps[at + 1 :] for at in range(len(steps)))
    for at, step in enumerate(steps):
        for one in _smaller_steps(step):
            yield [*steps[:at], one, *steps[at + 1 :]]


def _smaller_steps(step: Step) -> Iterator[Step]:
    for at in range(len(step.events)):
        yield Step(step.events[:at] + step.events[at + 1 :], step.yaml)
    for keys in _keys(step.yaml):
        yaml = _without(step.yaml, keys)
        if yaml is not None:
            yield Step(step.events, yaml)


def _keys(node: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key in node if isinstance(node, dict) else ():
        yield (*above, key)
        yield from _keys(node[key], (*above, key))


def _without(yaml: Yaml, keys: tuple[str, ...]) -> Yaml | None:
    """The YAML without that key; None where it is not valid then, or not smaller."""
    less = copy.deepcopy(yaml)
    node: Any = less
    for key in keys[:-1]:
        node = node[key]
    del node[keys[-1]]
    less = {"paths": {}, "sites": {}, **less}
    try:
        valid = without_errors(less)
    except (KeyError, IndexError):
        return None
    return valid if len(repr(valid)) < len(repr(yaml)) else None
