"""Many declarations of one thing become one, or a conflict that names both places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconcile.engine.model import Conflict, Declared
from reconcile.engine.resource import Ref, Resource

HIDDEN = "(sensitive)"
_ABSENT = object()


def merge(declared: Iterable[Declared]) -> tuple[dict[Ref, Declared], tuple[Conflict, ...]]:
    """Each resource once, field by field what any declaration asks for.

    An unmanaged field yields, collections unite, a flag that is off by default is on where
    one wants it so. Where two values cannot both hold, the first stays and a conflict tells.
    """
    desired: dict[Ref, Declared] = {}
    conflicts: list[Conflict] = []
    for item in declared:
        ref = item.resource.ref
        first = desired.get(ref)
        if first is None:
            desired[ref] = item
            continue
        merged, disagreeing = _merged(first.resource, item.resource)
        conflicts += [_conflict(name, first, item) for name in disagreeing]
        desired[ref] = Declared(
            merged, _united(first.sites, item.sites), _united(first.positions, item.positions)
        )
    return desired, tuple(conflicts)


def _merged(first: Resource, second: Resource) -> tuple[Resource, list[str]]:
    update: dict[str, Any] = {}
    disagreeing = []
    for name, field in type(first).model_fields.items():
        one, other = getattr(first, name), getattr(second, name)
        if one == other:
            continue
        value = _both(one, other, is_flag=field.default is False)
        if value is _ABSENT:
            disagreeing.append(name)
        else:
            update[name] = value
    return first.model_copy(update=update), disagreeing


def _both(one: Any, other: Any, *, is_flag: bool) -> Any:
    """The value that both can stand behind, _ABSENT where there is none."""
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
    return _ABSENT


def _united(one: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(one + other))


def _conflict(name: str, first: Declared, second: Declared) -> Conflict:
    values = (_shown(first.resource, name), _shown(second.resource, name))
    places = _united(first.positions, second.positions)
    return Conflict(first.resource.ref, name, values, places)


def _shown(resource: Resource, name: str) -> str:
    if name in resource.sensitive_fields():
        return HIDDEN
    return str(resource.display().get(name, getattr(resource, name)))
