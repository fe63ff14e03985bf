"""What reconcile owns: created or taken over, recorded by digest, never by content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any

from reconcile.dataclass import dataclass, field_names
from reconcile.engine.digest import canonical, digest
from reconcile.engine.model import Change, Declared, Plan
from reconcile.engine.resource import Ref, Resource
from reconcile.errors import ReconcileError
from reconcile.filesystem.place import Place

FORMAT = 1
_RARE = ("places", "shared", "guards")
BEGINNING = ""
"""The head of a history that has no row yet."""


class LedgerUnusable(ReconcileError):
    """The ledger exists but is not what reconcile wrote."""


@dataclass(frozen=True)
class LedgerRow:
    """One owned resource: `created` if it did not exist before; `since` is in UTC.

    `places`: where a protected folder lies, or lay when its name led elsewhere.
    `shared`: other scopes may declare it, too. `guards`: the entries of the YAML that hold it
    and that must not be removed.
    """

    sites: tuple[str, ...] = ()
    created: bool = False
    protected: bool = False
    digests: Mapping[str, str] = field(default_factory=dict)
    since: str = ""
    places: tuple[Place, ...] = ()
    shared: bool = False
    guards: tuple[str, ...] = ()


Rows = Mapping[Ref, LedgerRow]


@dataclass(frozen=True)
class ScopeRows:
    """What one scope owns, and the file that declares it; "" where that is not recorded."""

    rows: Rows = field(default_factory=dict)
    file: str = ""


@dataclass(frozen=True)
class Ledger:
    """The rows of one scope, how often the ledger was written, and the last history row's digest.

    `others` has the scopes beside it; the one without a name is that of files without `scope`.
    """

    rows: Rows = field(default_factory=dict)
    serial: int = 0
    head: str = BEGINNING
    scope: str = ""
    file: str = ""
    others: Mapping[str, ScopeRows] = field(default_factory=dict)

    @property
    def scopes(self) -> dict[str, ScopeRows]:
        """Every scope by name."""
        return {**self.others, self.scope: ScopeRows(self.rows, self.file)}

    @property
    def all_rows(self) -> dict[Ref, LedgerRow]:
        """The rows of every scope; of what several have, those of this one."""
        others = {ref: row for one in self.others.values() for ref, row in one.rows.items()}
        return {**others, **self.rows}

    def of(self, scope: str) -> Ledger:
        """The same ledger, as `scope` sees it."""
        others = self.scopes
        own = others.pop(scope, ScopeRows())
        return replace(self, rows=own.rows, scope=scope, file=own.file, others=others)

    def next(self, rows: Rows, head: str) -> Ledger:
        """The ledger after this one."""
        return replace(self, rows=rows, serial=self.serial + 1, head=head)


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
        shared=declared.shared,
        guards=tuple(sorted(declared.guards)),
    )


def managed_digests(desired: Resource, observed: Resource) -> dict[str, str]:
    """The digests of what `desired` manages, as observed once it was applied."""
    unmanaged = {*field_names(type(desired))} - desired.managed().keys()
    return {name: value for name, value in observed.digests().items() if name not in unmanaged}


def encode(ledger: Ledger) -> bytes:
    """The ledger as a file, with a digest that shows edits."""
    scopes = {name: _scope_as_json(one) for name, one in ledger.scopes.items()}
    # Rows without a scope are where they have always been.
    body = {"format": FORMAT, "serial": ledger.serial, "head": ledger.head, "rows": {}}
    body |= scopes.pop("", {})
    if named := {name: one for name, one in sorted(scopes.items()) if one["rows"]}:
        body["scopes"] = named
    return (canonical(body | {"digest": digest(body)}) + "\n").encode()


def _scope_as_json(scope: ScopeRows) -> dict[str, Any]:
    rows = {str(ref): _row_as_json(row) for ref, row in sorted(scope.rows.items())}
    return {"rows": rows, "file": scope.file} if scope.file else {"rows": rows}


def _row_as_json(row: LedgerRow) -> dict[str, Any]:
    """The row as JSON; what only few rows have is left out of the others."""
    return {name: value for name, value in vars(row).items() if name not in _RARE or value}


def decode(data: bytes) -> Ledger:
    """The ledger of a file. Errors: LedgerUnusable if truncated, edited or of a later format."""
    body = _parsed(data)
    if isinstance(body.get("format"), int) and body["format"] > FORMAT:
        raise _unusable("was written by a later version of reconcile", "Use that version.")
    try:
        unnamed = _scope(body)
        others = {name: _scope(one) for name, one in body.get("scopes", {}).items()}
        ledger = Ledger(
            unnamed.rows, body["serial"], body["head"], file=unnamed.file, others=others
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


def _scope(body: dict[str, Any]) -> ScopeRows:
    rows = {Ref.parse(ref): _row(row) for ref, row in body["rows"].items()}
    return ScopeRows(rows, body.get("file", ""))


def _row(row: dict[str, Any]) -> LedgerRow:
    places = tuple(Place.parse(place) for place in row.get("places", ()))
    lists = {"sites": tuple(row["sites"]), "guards": tuple(row.get("guards", ()))}
    return LedgerRow(**(row | lists | {"places": places}))


def _unusable(why: str, fix: str = "") -> LedgerUnusable:
    return LedgerUnusable(
        "The ledger cannot be used.",
        f"It {why}.",
        fix
        or "Restore ledger.json from a backup, or move it away: then reconcile owns nothing but"
        " the protected folders, and removes nothing that the YAML dropped; every other change"
        " is planned as before. Nothing was changed.",
    )
