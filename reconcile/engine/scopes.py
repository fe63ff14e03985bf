"""Several configuration files on one host: each owns its scope, a part of the ledger."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.engine.ledger import Ledger, LedgerRow, ScopeRows
from reconcile.engine.model import Conflict, Declared, Desired
from reconcile.engine.resource import Ref
from reconcile.filesystem.path import ancestors

FIELD = "scope"
_CONTENTS = ("assets", "tree")
"""Kinds that hold everything below their path."""


def owned_elsewhere(ledger: Ledger) -> frozenset[Ref]:
    """What other scopes own: it stays once this scope no longer declares it."""
    return frozenset(ref for one in ledger.others.values() for ref in one.rows)


def scope_conflicts(desired: Desired, ledger: Ledger, file: str) -> Iterator[Conflict]:
    """A conflict for each path that `desired`, read from `file`, and another scope claim."""
    own = [item for item in desired.values() if not item.shared]
    for name, scope in sorted(ledger.others.items()):
        claimed = {ref for ref, row in scope.rows.items() if not row.shared}
        if name == "" and scope.file == file:
            # The same file, before it had a scope: what it declares passes over.
            continue
        for item in own:
            other = _overlapping(item.resource.ref, claimed)
            if other is not None:
                yield _conflict(item, other, (ledger.scope, file), (name, scope.file))


def _overlapping(ref: Ref, claimed: set[Ref]) -> Ref | None:
    """What of `claimed` holds the path of `ref`, or a part of what `ref` holds."""
    if ref in claimed:
        return ref
    if not ref.name.startswith("/"):
        return None
    above = {*ancestors(ref.name), ref.name}
    below = f"{ref.name}/"
    for other in sorted(claimed):
        is_above = other.kind in _CONTENTS and other.name in above
        is_below = ref.kind in _CONTENTS and other.name.startswith(below)
        is_same = other.name == ref.name and other.kind != ref.kind
        if is_above or is_below or is_same:
            return other
    return None


def _conflict(
    item: Declared, other: Ref, here: tuple[str, str], there: tuple[str, str]
) -> Conflict:
    values = (_described(*here), f"{_described(*there)} with {other}")
    return Conflict(item.resource.ref, FIELD, values, item.positions)


def _described(scope: str, file: str) -> str:
    name = f"the scope {scope}" if scope else "the file without a scope"
    return f"{name} ({file})" if file else name


def passed_over(ledger: Ledger, desired: Desired, file: str) -> Ledger:
    """`ledger` with what a file declared before it had a scope, as far as it still declares it."""
    unnamed = ledger.others.get("", ScopeRows())
    if unnamed.file != file or not ledger.scope:
        return ledger
    taken = {ref: row for ref, row in unnamed.rows.items() if ref in desired}
    if not taken:
        return ledger
    left = {ref: row for ref, row in unnamed.rows.items() if ref not in taken}
    others = {**ledger.others, "": ScopeRows(left, unnamed.file if left else "")}
    rows: dict[Ref, LedgerRow] = {**taken, **ledger.rows}
    return Ledger(rows, ledger.serial, ledger.head, ledger.scope, ledger.file, others)
