"""State is read for ever: folders that earlier versions wrote, as they wrote them.

Each is the state of `reconcile demo` after its second apply, by the date of the version.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reconcile.engine import history
from reconcile.engine.history import Actor, HistoryEntry
from reconcile.engine.history_integrity import check_history
from reconcile.engine.journal import journals
from reconcile.engine.ledger_store import read_ledger
from reconcile.system import Host, HostSettings
from reconcile.workspace import confirming as _imports_every_undo  # noqa: F401

KEPT = sorted((Path(__file__).parent / "kept_state").iterdir())
KINDS = {"assets", "directory", "file", "nginx_live", "service", "symlink", "unit"}


@pytest.fixture(params=KEPT, ids=[path.name for path in KEPT])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    """A host whose state an earlier version wrote. Git keeps no modes."""
    state = tmp_path / "state"
    shutil.copytree(request.param, state)
    for path in (state, *state.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return Host(HostSettings(state_dir=str(state)))


def test_what_reconcile_owns_is_known(host: Host) -> None:
    ledger = read_ledger(host.state)

    assert 2 == ledger.serial
    assert {ref.kind for ref in ledger.all_rows} >= KINDS


def test_the_history_is_read_and_complete(host: Host) -> None:
    rows, problems = check_history(host.state, read_ledger(host.state))

    assert ([1, 2], ()) == ([row.number for row in rows], problems)


def test_the_next_apply_goes_on_with_the_history(host: Host) -> None:
    ledger = read_ledger(host.state)
    row = history.following(ledger, HistoryEntry("2026-12-01T08:00:00Z", Actor(), "applied"))
    history.write(host.state, row)

    _, problems = check_history(host.state, ledger.next(ledger.rows, row.digest))

    assert () == problems


def test_every_record_of_how_to_roll_back_is_understood(host: Host) -> None:
    found = {journal.folder: journal.undos for journal in journals(host.state)}

    assert ["journal/00000001", "journal/00000002"] == sorted(found)
    assert all(found.values())
