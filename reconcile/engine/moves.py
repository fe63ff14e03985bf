"""Resources that get another name because what they belong to was renamed in the YAML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace

from reconcile.dataclass import dataclass, field_names
from reconcile.engine.diff import differences
from reconcile.engine.ledger import LedgerRow, Rows
from reconcile.engine.model import Change, FieldChange
from reconcile.engine.resource import Ref, Resource

_NAMES = frozenset({"path", "unit"})
"""The fields that hold the name of a resource."""


@dataclass(frozen=True)
class Moves:
    """Old name → new name of each site that moved, and of each of its resources."""

    sites: Mapping[str, str] = field(default_factory=dict)
    refs: Mapping[Ref, Ref] = field(default_factory=dict)

    def renamed(self, rows: Rows) -> dict[Ref, LedgerRow]:
        """`rows` as those of the sites' new names."""
        return {ref: self._renamed(row) for ref, row in rows.items()}

    def guard(self, guard: str) -> str:
        """A guard of an old name as that of the new one."""
        section, _, name = guard.partition(".")
        for old, new in self.sites.items() if section == "sites" else ():
            if name == old or name.startswith(f"{old}.locations."):
                return f"sites.{new}{name.removeprefix(old)}"
        return guard

    def _renamed(self, row: LedgerRow) -> LedgerRow:
        if self.sites.keys().isdisjoint(row.sites):
            return row
        return replace(row, sites=tuple(self.sites.get(site, site) for site in row.sites))


def with_moves(changes: Iterable[Change], moves: Mapping[Ref, Ref]) -> tuple[Change, ...]:
    """`changes`, where a removal and a creation are one move: nothing is destroyed by it."""
    by_ref = {change.ref: change for change in changes}
    for old, new in moves.items():
        removal, change = by_ref.get(old), by_ref.get(new)
        if removal is None or removal.after is not None:
            continue
        by_ref[old] = replace(removal, moved=new, reason=f"moves to {new}", fields=())
        if change is not None and change.before is None and change.after is not None:
            fields = _differences_but_name(removal.subject, change.after)
            reason = f"moves from {old}"
            by_ref[new] = replace(change, moved=old, reason=reason, fields=fields)
    return tuple(by_ref.values())


def _differences_but_name(old: Resource, new: Resource) -> tuple[FieldChange, ...]:
    """What changes beside the name, as far as the old thing was read."""
    names = {name: getattr(new, name) for name in _NAMES.intersection(field_names(type(new)))}
    found = differences(replace(old, **names), new) if names else ()
    return tuple(item for item in found if item.before is not None)
