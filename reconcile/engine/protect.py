"""Other people's data: what is protected stays, whatever a file or a ledger says."""

from __future__ import annotations

from collections.abc import Iterable

from reconcile.engine.model import Conflict, Desired
from reconcile.engine.resource import Ref


def protected_names(desired: Desired, kept: Iterable[Ref]) -> frozenset[str]:
    """The names that are protected: declared so now, or `kept` so by the ledger."""
    declared = {ref.name for ref, item in desired.items() if item.resource.protected}
    return frozenset(declared | {ref.name for ref in kept})


def guarded(name: str, protected: frozenset[str]) -> bool:
    """Whether `name` is protected, or a path below one that is."""
    return any(_at_or_below(name, root) for root in protected)


def violations(desired: Desired, protected: frozenset[str]) -> tuple[Conflict, ...]:
    """Declarations that may write over or remove what lies below a protected path."""
    return tuple(
        Conflict(ref, "name", ("written by this", f"protected: {root}"), item.places)
        for ref, item in sorted(desired.items())
        if item.resource.writes_contents and not item.resource.protected
        for root in sorted(protected)
        if _at_or_below(ref.name, root)
        or (_at_or_below(root, ref.name) and item.resource.reaches(root))
    )


def _at_or_below(name: str, root: str) -> bool:
    return name == root or name.startswith(root.rstrip("/") + "/")
