"""Merging the declarations of one thing, or a conflict that names both positions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from reconcile.engine.diff import SENSITIVE
from reconcile.engine.model import Conflict, Declared
from reconcile.engine.resource import Ref, Resource

_CONTRADICTION = object()


def merge(declared: Iterable[Declared]) -> tuple[dict[Ref, Declared], tuple[Conflict, ...]]:
    """Each resource once, with the union of what its declarations manage, and the conflicts.

    A managed field wins over an unmanaged one, collections are united, a flag that is off by
    default is on where any declaration sets it. Of two contradictory values the first is kept.
    """
    desired: dict[Ref, Declared] = {}
    conflicts: list[Conflict] = []
    for item in declared:
        ref = item.resource.ref
        first = desired.get(ref)
        if first is None:
            desired[ref] = item
            continue
        merged, contradictory = _merge_fields(first.resource, item.resource)
        conflicts += [_conflict(name, first, item) for name in contradictory]
        desired[ref] = Declared(
            merged,
            _united(first.sites, item.sites),
            _united(first.positions, item.positions),
            first.shared and item.shared,
            first.guards | item.guards,
        )
    return desired, (*conflicts, *_taken_names(desired))


def contradictions(one: Declared, other: Declared) -> Iterator[Conflict]:
    """What two declarations of one thing by different names contradict each other in."""
    first, second = one.resource, other.resource
    for name in _merge_fields(first, second)[1]:
        if name not in first.metadata_fields:
            known = _conflict(name, one, other)
            value, contrary = known.values
            values = (f"{value} as {first.name}", f"{contrary} as {second.name}")
            yield replace(known, values=values)


def _taken_names(desired: Mapping[Ref, Declared]) -> Iterator[Conflict]:
    """Each path that is declared as a file, and as another kind of thing, too."""
    first: dict[str, Declared] = {}
    for item in desired.values():
        if item.resource.form == "" or not (other := first.setdefault(item.resource.name, item)):
            continue
        kinds = (other.resource.kind, item.resource.kind)
        # A directory may be reached through a link.
        if other is not item and {*kinds} != {"directory", "symlink"}:
            positions = _united(other.positions, item.positions)
            yield Conflict(item.resource.ref, "kind", kinds, positions)


def _merge_fields(first: Resource, second: Resource) -> tuple[Resource, list[str]]:
    update: dict[str, Any] = {}
    contradictory = []
    for field in fields(first):
        name = field.name
        one, other = getattr(first, name), getattr(second, name)
        if one == other:
            continue
        value = _merged_value(one, other, is_flag=field.default is False)
        if value is _CONTRADICTION:
            contradictory.append(name)
        else:
            update[name] = value
    return replace(first, **update), contradictory


def _merged_value(one: Any, other: Any, *, is_flag: bool) -> Any:
    """The value that satisfies both, _CONTRADICTION if there is none."""
    if one is None or other is None:
        return other if one is None else one
    if is_flag:
        return one or other
    if isinstance(one, tuple):
        return _united(one, other)
    if isinstance(one, frozenset):
        return one | other
    if isinstance(one, Mapping) and all(one[key] == other[key] for key in one.keys() & other):
        return {**one, **other}
    return _CONTRADICTION


def _united(one: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(one + other))


def _conflict(name: str, first: Declared, second: Declared) -> Conflict:
    values = (_display_value(first.resource, name), _display_value(second.resource, name))
    positions = _united(first.positions, second.positions)
    return Conflict(first.resource.ref, name, values, positions)


def _display_value(resource: Resource, name: str) -> str:
    if name in resource.sensitive_fields():
        return SENSITIVE
    return str(resource.display().get(name, getattr(resource, name)))
