"""A rollback lists what will happen, and looks at what it left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from reconcile.dataclass import dataclass
from reconcile.engine.history import Actor, HistoryEntry, HistoryRow, reversed_changes
from reconcile.engine.journal import Journal
from reconcile.engine.ledger import Ledger, encode
from reconcile.engine.ledger_store import next_records
from reconcile.engine.rollback import rollback_applies
from reconcile.engine.rollback_plan import plan_rollback
from reconcile.filesystem.file_undo import FileUndo
from reconcile.filesystem.permissions import PermissionPolicy
from reconcile.filesystem.undo import Undo, undo_record
from reconcile.system import Host
from tests.support.recorder import MemoryRecorder

BY = Actor("root", "reconcile apply")
CHANGES = (
    ("directory:/srv/www", "create", "pending"),
    ("file:/srv/a", "update", "pending"),
    ("assets:/srv/www", "create", "pending"),
    ("service:app.service", "update", "pending"),
    ("file:/srv/b", "delete", "pending"),
)
BEGUN = HistoryEntry("2026-11-22T08:00:00Z", BY, "begun", CHANGES)


@undo_record
@dataclass(frozen=True)
class Done(Undo):
    """An effect on a name."""

    op: ClassVar[str] = "files.done"
    name: str

    @property
    def affects(self) -> str:
        return self.name

    def undo(self, host: Host) -> str:
        return ""


def begun(host: Host, entry: HistoryEntry, *names: str) -> Journal:
    journal = Journal.begin(host.state, encode(Ledger()), entry)
    if names:
        journal.record_undo(*(Done(name) for name in names))
    return journal


class TestAnUnfinishedApply:
    @pytest.mark.parametrize(
        ("effects", "listed"),
        [
            ((), 0),
            (("/var/lib/reconcile/assets/1",), 0),
            (("/srv/www",), 1),
            (("/srv/www", "/srv/a"), 2),
            (("/srv/www", "/srv/www/css/a.css"), 3),
            (("/srv/www", "/srv/a", "/srv/www/a.css", "app.service"), 4),
            (("/srv/b",), 5),
        ],
    )
    def test_lists_what_its_journal_has_and_not_what_was_planned(
        self, effects: tuple[str, ...], listed: int, host: Host
    ) -> None:
        begun(host, BEGUN, *effects)

        plan = plan_rollback(host.state)

        expected = [address for address, _, _ in reversed(CHANGES[:listed])]
        assert expected == [address for address, _ in plan.effects]

    def test_that_was_a_rollback_goes_on_in_its_direction(self, host: Host) -> None:
        undoing = replace(BEGUN, result="rolled_back", changes=reversed_changes(BEGUN))
        begun(host, undoing, "/srv/a")

        assert ("file:/srv/b", "create") == plan_rollback(host.state).effects[0]
        assert ("directory:/srv/www", "delete") == plan_rollback(host.state).effects[-1]

    def test_that_only_has_to_be_recorded_is_rolled_back_as_an_apply(self, host: Host) -> None:
        journal = begun(host, BEGUN, "/srv/a")
        after, row = next_records(Ledger(), {}, replace(BEGUN, result="applied"))
        journal.commit(row, after)

        plan = plan_rollback(host.state)

        assert ((row,), ()) == (plan.applies, plan.unfinished)


class TestAfterwards:
    """What still is as the apply left it is found."""

    def _applied(self, host: Host, site: Path) -> HistoryRow:
        """An apply of one effect of each kind, with its row."""
        for name in ("changed", "removed", "mode", "gone/x"):
            (site / name).parent.mkdir(exist_ok=True)
            (site / name).write_text("before")
        (site / "gone/x").unlink()
        journal = Journal.begin(host.state, encode(Ledger()), BEGUN)
        host.recorder = journal
        owner = {"uid": 0, "gid": 0}
        host.files.write(f"{site}/changed", b"after", mode=0o644, **owner)
        host.files.write(f"{site}/new", b"after", mode=0o644, **owner)
        host.files.unlink(f"{site}/removed")
        host.files.mkdir(f"{site}/folder", mode=0o755, **owner)
        host.files.set_permissions(f"{site}/folder", mode=0o700, **owner)
        host.files.set_permissions(f"{site}/mode", mode=0o600, **owner)
        host.files.rmdir(f"{site}/gone")
        host.recorder = None
        after, row = next_records(Ledger(), {}, replace(BEGUN, result="applied"))
        journal.commit(row, after)
        journal.finalize()
        return row

    def test_nothing_is_left(self, host: Host, site: Path) -> None:
        done = rollback_applies(host, [self._applied(host, site)], BY, lambda event: None)

        assert () == (*done.notes, *done.remaining)
        assert {"changed", "removed", "mode", "gone"} == {path.name for path in site.iterdir()}

    def test_each_effect_that_is_still_there_is_named(
        self, host: Host, site: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row = self._applied(host, site)
        monkeypatch.setattr(FileUndo, "undo", lambda self, host: "")

        done = rollback_applies(host, [row], BY, lambda event: None)

        assert {
            f"{site}/changed": "it holds what the apply wrote",
            f"{site}/new": "it holds what the apply wrote",
            f"{site}/removed": "it is missing",
            f"{site}/mode": "it has the owner and mode that the apply gave it",
            f"{site}/folder": "it still exists",
            f"{site}/gone": "it is missing",
        } == dict(done.remaining)

    def test_what_others_changed_since_is_theirs(self, host: Host, site: Path) -> None:
        row = self._applied(host, site)
        for name in ("changed", "new"):
            (site / name).write_text("by hand")
        (site / "folder/x").touch()
        (site / "mode").chmod(0o640)

        done = rollback_applies(host, [row], BY, lambda event: None)

        assert (4, ()) == (len(done.notes), done.remaining)


def test_what_a_tree_changed_is_compared_too(
    host: Host, recorder: MemoryRecorder, site: Path
) -> None:
    (site / "a").touch(0o600)
    policy = PermissionPolicy(0, 0, 0o644, 0o755)
    host.files.fix_permissions(str(site), policy, host.files.scan(str(site), policy).deviations)
    [undo] = recorder.undos

    assert "it has the owner and mode that the apply gave it" == undo.remains(host)
    recorder.take_back(host)
    assert "" == undo.remains(host)
