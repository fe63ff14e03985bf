"""What reconcile owns: created or taken over, recorded by digest, never by content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, field, replace
from typing import Any

from reconcile.dataclass import dataclass
from reconcile.engine.digest import canonical, digest
from reconcile.engine.model import Change, Declared, Plan
from reconcile.engine.resource import Ref, Resource
from reconcile.errors import ReconcileError
from reconcile.filesystem.place import Place

FORMAT = 1
BEGINNING = ""
"""The head of a history that has no row yet."""


class LedgerUnusable(ReconcileError):
    """The ledger exists but is not what reconcile wrote."""


@dataclass(frozen=True)
class LedgerRow:
    """One owned resource: `created` if it did not exist before; `since` is in UTC.

    `places`: where a protected folder lies, or lay when its name led elsewhere.
    """

    sites: tuple[str, ...] = ()
    created: bool = False
    protected: bool = False
    digests: Mapping[str, str] = field(default_factory=dict)
    since: str = ""
    places: tuple[Place, ...] = ()


Rows = Mapping[Ref, LedgerRow]


@dataclass(frozen=True)
class Ledger:
    """The rows, how often they were written, and the digest of the last history row."""

    rows: Rows = field(default_factory=dict)
    serial: int = 0
    head: str = BEGINNING

    def next(self, rows: Rows, head: str) -> Ledger:
        """The ledger after this one."""
        return Ledger(rows, self.serial + 1, head)


def rows_after(rows: Rows, plan: Plan, done: Mapping[Ref, Resource | None], at: str) -> Rows:
    """The rows once `done` of the plan is done; its values are what was observed then.

    What the plan did not touch keeps its row; what was protected once stays protected.
    """
    unfinished = {change.ref for change in plan.changes} - done.keys()
    kept = {ref: row for ref, row in rows.items() if ref not in plan.released - unfinished}
    passed_on = {path for change in plan.changes for path in _passed_on(change)}
    created = {change.ref for change in plan.changes if change.before is None}
    created |= {ref for ref in plan.desired if ref.name in passed_on}
    for ref, declared in plan.desired.items():
        observed = done.get(ref) or plan.in_sync.get(ref)
        if observed is not None and ref not in unfinished:
            first = LedgerRow(created=ref in created, since=at)
            kept[ref] = _refreshed(rows.get(ref, first), declared, observed)
    return dict(sorted(kept.items()))


def _passed_on(change: Change) -> frozenset[str]:
    return change.subject.passed_on() if change.after is None else frozenset()


def _refreshed(row: LedgerRow, declared: Declared, observed: Resource) -> LedgerRow:
    return replace(
        row,
        sites=tuple(sorted(declared.sites)),
        protected=row.protected or declared.resource.protected,
        digests=managed_digests(declared.resource, observed),
    )


def managed_digests(desired: Resource, observed: Resource) -> dict[str, str]:
    """The digests of what `desired` manages, as observed once it was applied."""
    unmanaged = type(desired).model_fields.keys() - desired.managed().keys()
    return {name: value for name, value in observed.digests().items() if name not in unmanaged}


def encode(ledger: Ledger) -> bytes:
    """The ledger as a file, with a digest that shows edits."""
    body = {
        "format": FORMAT,
        "serial": ledger.serial,
        "head": ledger.head,
        "rows": {str(ref): _row_as_json(row) for ref, row in sorted(ledger.rows.items())},
    }
    return (canonical(body | {"digest": digest(body)}) + "\n").encode()


def _row_as_json(row: LedgerRow) -> dict[str, Any]:
    """The row as JSON; without places, which only protected folders have, as ever."""
    return {name: value for name, value in asdict(row).items() if name != "places" or value}


def decode(data: bytes) -> Ledger:
    """The ledger of a file. Errors: LedgerUnusable if truncated, edited or of a later format."""
    body = _parsed(data)
    if isinstance(body.get("format"), int) and body["format"] > FORMAT:
        raise _unusable("was written by a later version of reconcile", "Use that version.")
    try:
        ledger = Ledger(
            {Ref.parse(ref): _row(row) for ref, row in body["rows"].items()},
            body["serial"],
            body["head"],
        )
        genuine = encode(ledger) == data
    except (KeyError, TypeError, ValueError, AttributeError):
        genuine = False
    if not genuine:
        raise _unusable("is not what reconcile wrote: it was edited or damaged")
    return ledger


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise _unusable("is truncated or not JSON")
    return body


def _row(row: dict[str, Any]) -> LedgerRow:
    places = tuple(Place.parse(place) for place in row.get("places", ()))
    return LedgerRow(**(row | {"sites": tuple(row["sites"]), "places": places}))


def _unusable(why: str, fix: str = "") -> LedgerUnusable:
    return LedgerUnusable(
        "The ledger cannot be used.",
        f"It {why}.",
        fix
        or "Restore ledger.json from a backup, or move it away: then reconcile owns nothing but"
        " the protected folders, and removes nothing that the YAML dropped; every other change"
        " is planned as before. Nothing was changed.",
    )
