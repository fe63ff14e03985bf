"""The second record of what is protected, which outlives the ledger and `host.state_dir`.

It has the protected folders of every state directory of this host, each with its places.
Losing it loses nothing either: the ledger has the same, and the next apply writes it again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reconcile.engine.digest import canonical, digest
from reconcile.engine.ledger import Ledger, LedgerRow, Rows
from reconcile.engine.ledger_store import read_ledger
from reconcile.engine.resource import Ref
from reconcile.engine.scopes import owned_elsewhere
from reconcile.errors import ReconcileError
from reconcile.filesystem.place import Place, locate
from reconcile.filesystem.state_dir import StateDir

if TYPE_CHECKING:
    from reconcile.filesystem.place_guard import ProtectedFolders
    from reconcile.system import Host

NAME = "folders.json"
FORMAT = 1
Places = tuple[Place, ...]
Record = Mapping[str, Mapping[Ref, Places]]
"""State directory → each protected folder that its ledger knows, or knew."""


class ProtectionUnusable(ReconcileError):
    """The record exists but is not what reconcile wrote."""


def read_record(host: Host) -> Record:
    """The record; empty where there is none yet. Errors: ProtectionUnusable, HostError."""
    data = host.protection.read(NAME)
    return {} if data is None else _decode_record(data, host.protection.path_of(NAME))


def read_owned(host: Host) -> Ledger:
    """The ledger as the scope of `host` sees it, with the protected folders that only the other
    record still knows.
    """
    ledger = read_ledger(host.state).of(host.settings.scope)
    recorded = read_record(host).get(host.state.path, {})
    known = owned_elsewhere(ledger)
    lost = {ref: row for ref, row in _rows(recorded).items() if ref not in known}
    return replace(ledger, rows=dict(sorted({**lost, **ledger.rows}.items())))


def protected_on(host: Host, rows: Rows) -> ProtectedFolders:
    """Every folder of this host that is protected: by `rows`, or by any state directory's."""
    record = read_record(host)
    everything = [record[name] for name in sorted(record)]
    everything += [_protected(other) for _, other in other_ledgers(host)]
    found: dict[str, Places] = {}
    for one in (_protected(rows), *everything):
        for ref, places in one.items():
            found[ref.name] = _union(found.get(ref.name, ()), places)
    return found


def with_places(rows: Rows) -> dict[Ref, LedgerRow]:
    """`rows`, the protected ones with the place where each lies now. Errors: OSError."""
    return {ref: _with_place(ref, row) if row.protected else row for ref, row in rows.items()}


def write_record(host: Host, rows: Rows, forgotten: Collection[Ref] = ()) -> None:
    """Record what `rows` protect, and drop `forgotten`. Errors: ReconcileError."""
    before = read_record(host)
    own = {**before.get(host.state.path, {}), **_protected(rows)}
    after = {**before, host.state.path: own}
    after = {
        name: {ref: places for ref, places in refs.items() if ref not in forgotten}
        for name, refs in after.items()
    }
    if after != before and any((*before.values(), *after.values())):
        host.protection.write(NAME, _encoded(after))


def other_ledgers(host: Host) -> Iterator[tuple[str, Rows]]:
    """Each other state directory of this host with its rows, as far as they can be read.

    Of one that cannot be, the record has a copy.
    """
    for path in sorted({*read_record(host), *host.usual_state_dirs} - {host.state.path}):
        with suppress(ReconcileError):
            yield path, read_ledger(StateDir(path)).all_rows


def _protected(rows: Rows) -> dict[Ref, Places]:
    return {ref: row.places for ref, row in rows.items() if row.protected}


def _rows(recorded: Mapping[Ref, Places]) -> dict[Ref, LedgerRow]:
    return {ref: LedgerRow(protected=True, places=places) for ref, places in recorded.items()}


def _with_place(ref: Ref, row: LedgerRow) -> LedgerRow:
    now = tuple(place for place in locate(ref.name).places if place.inode)
    return replace(row, places=_union(row.places, now))


def _union(before: Places, now: Places) -> Places:
    """Both; the same directory once, at its present path."""
    moved = [one for one in before if not any(one.is_same_inode(other) for other in now)]
    return (*moved, *now)


def _encoded(record: Record) -> bytes:
    body = {
        "format": FORMAT,
        "state_dirs": {
            name: {str(ref): places for ref, places in sorted(refs.items())}
            for name, refs in sorted(record.items())
        },
    }
    return (canonical(body | {"digest": digest(body)}) + "\n").encode()


def _decode_record(data: bytes, path: str) -> Record:
    try:
        body: dict[str, Any] = json.loads(data)
        record = {
            name: {
                Ref.parse(ref): tuple(Place.parse(place) for place in places)
                for ref, places in refs.items()
            }
            for name, refs in body["state_dirs"].items()
        }
        is_genuine = _encoded(record) == data
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        is_genuine = False
    if not is_genuine:
        raise ProtectionUnusable(
            "The record of protected folders cannot be used.",
            f"{path} was edited or damaged, or written by a later version of reconcile.",
            "Restore it from a backup, or move it away if the ledger is intact: the ledger has"
            " the same, and the next apply writes it again. Nothing was changed.",
        )
    return record
