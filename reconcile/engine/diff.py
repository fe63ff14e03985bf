"""How an observed resource differs from the desired one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconcile.engine.model import FieldChange
from reconcile.engine.resource import Resource

SENSITIVE = "(sensitive)"
"""Shown in place of a value that nobody may see."""


def differences(before: Resource | None, after: Resource | None) -> tuple[FieldChange, ...]:
    """One entry for each field that `after` manages and whose value `before` does not have.

    Where either is absent, every field of the other is listed.
    """
    old, new = _managed(before), _managed(after)
    names = new if after is not None else old
    changed = [name for name in names if old.get(name) != new.get(name)]
    if not changed:
        return ()
    old_display, new_display = _display(before), _display(after)
    return tuple(
        FieldChange(
            name,
            *_differing_keys(old_display.get(name), new_display.get(name)),
            sensitive=name in _sensitive(before, after),
        )
        for name in changed
    )


def _managed(resource: Resource | None) -> dict[str, Any]:
    return {} if resource is None else resource.managed()


def _display(resource: Resource | None) -> dict[str, Any]:
    if resource is None:
        return {}
    hidden = dict.fromkeys(resource.sensitive_fields() & resource.managed().keys(), SENSITIVE)
    return resource.display() | hidden


def _sensitive(*resources: Resource | None) -> frozenset[str]:
    known = [resource.sensitive_fields() for resource in resources if resource is not None]
    return frozenset[str]().union(*known)


def _differing_keys(before: Any, after: Any) -> tuple[Any, Any]:
    """Of two mappings only the keys that differ, however deep the difference lies."""
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        return before, after
    # Importing it takes 0.2 s, which a plan without changes must not pay for.
    from deepdiff import DeepDiff

    # 0: also where the two have few keys in common, for which it names none by default.
    diff = DeepDiff(dict(before), dict(after), threshold_to_diff_deeper=0)
    differ = diff.affected_root_keys
    return _only(before, differ), _only(after, differ)


def _only(mapping: Mapping[str, Any], keys: Any) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key in keys}
