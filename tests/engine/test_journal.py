"""What an apply is about to do, on the disk before it does it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from typing import ClassVar

import pytest

from reconcile.dataclass import dataclass
from reconcile.engine import history
from reconcile.engine.history import Actor, HistoryEntry
from reconcile.engine.history_integrity import check_history
from reconcile.engine.journal import Journal, journals
from reconcile.engine.ledger import Ledger, encode
from reconcile.engine.ledger_store import next_records, read_ledger
from reconcile.engine.recovery import recover, unfinished
from reconcile.engine.rollback import RollbackFailed, roll_back
from reconcile.errors import ReconcileError
from reconcile.filesystem.undo import Stage, Undo, undo_record
from reconcile.system import Host, HostSettings
from tests.support.machine import Machine

ENTRY = HistoryEntry("2026-11-22T08:00:00Z", Actor("root", "reconcile apply"), "begun")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(HostSettings(state_dir=str(tmp_path / "state")))


@undo_record
@dataclass(frozen=True)
class Recorded(Undo):
    """Records its undo in a list; fails while its word is in `stuck`."""

    op: ClassVar[str] = "files.recorded"
    word: str
    undone: ClassVar[list[str]] = []
    stuck: ClassVar[set[str]] = set()

    def undo(self, host: Host) -> str:
        if self.word in self.stuck:
            raise ReconcileError(f"{self.word} cannot be put back", "disk gone")
        self.undone.append(self.word)
        return ""


@undo_record
@dataclass(frozen=True)
class Reloaded(Recorded):
    op: ClassVar[str] = "files.reloaded"
    words: list[str] = field(default_factory=list)

    @property
    def stage(self) -> Stage:
        return Stage.NGINX


@undo_record
@dataclass(frozen=True)
class Stopped(Recorded):
    """What was stopped: it is started again from restored files."""

    op: ClassVar[str] = "files.stopped"

    @property
    def stage(self) -> Stage:
        return Stage.STARTS


@undo_record
@dataclass(frozen=True)
class Rewritten(Recorded):
    """A unit file that was written while the unit ran: it is restarted from the restored one."""

    op: ClassVar[str] = "files.rewritten"

    @property
    def stage(self) -> Stage:
        return Stage.UNITS

    @property
    def subject(self) -> tuple[str, str]:
        return self.op, self.word

    @property
    def affects(self) -> str:
        return self.word

    def merge_with(self, later: Undo) -> Rewritten:
        return self


@undo_record
@dataclass(frozen=True)
class Switched(Recorded):
    op: ClassVar[str] = "files.switched"
    is_switch: ClassVar[bool] = True


@pytest.fixture(autouse=True)
def _nothing_undone() -> None:
    Recorded.undone.clear()
    Recorded.stuck.clear()


def a_journal(host: Host, *undos: Undo) -> Journal:
    journal = Journal.begin(host.state, encode(Ledger()), ENTRY)
    journal.record_undo(*undos)
    return journal


def hear(host: Host) -> tuple[str, ...]:
    return recover(host, lambda event: None)


def test_what_was_intended_is_read_back_in_order_by_another_process(host: Host) -> None:
    journal = a_journal(host, Recorded("one"), Recorded("two"))
    journal.record_undo(Reloaded("three", ["x"]))

    again = Journal(host.state, journal.id)

    assert (Recorded("one"), Recorded("two"), Reloaded("three", ["x"])) == again.undos()


def test_a_last_line_that_was_cut_off_never_took_effect(host: Host) -> None:
    journal = a_journal(host, Recorded("one"), Recorded("two"))
    log = Path(host.state.path_of(f"{journal.folder}/undo.jsonl"))
    log.write_bytes(log.read_bytes()[:-5])

    assert (Recorded("one"),) == journal.undos()


def test_a_damaged_line_in_the_middle_stops_everything(host: Host) -> None:
    journal = a_journal(host, Recorded("one"), Recorded("two"))
    log = Path(host.state.path_of(f"{journal.folder}/undo.jsonl"))
    log.write_bytes(b"garbage\n" + log.read_bytes())

    with pytest.raises(ReconcileError, match="is damaged"):
        hear(host)


def test_effects_are_undone_last_first_and_one_reload_after_all(host: Host) -> None:
    journal = a_journal(host, Recorded("a"), Reloaded("reload"), Recorded("b"), Reloaded("reload"))

    roll_back(journal, host, ENTRY)

    assert ["b", "a", "reload"] == Recorded.undone


def test_what_a_switch_leads_back_to_is_started_before_and_what_it_led_to_stopped_after(
    host: Host,
) -> None:
    undos = (
        *(Recorded("stop new"), Switched("switch"), Recorded("file")),
        *(Stopped("start old"), Recorded("unit of old"), Reloaded("reload")),
    )

    roll_back(a_journal(host, *undos), host, ENTRY)

    expected = ["unit of old", "file", "start old", "switch", "stop new", "reload"]
    assert expected == Recorded.undone


def test_a_worker_that_a_switch_restarted_is_restarted_once_its_own_file_is_restored(
    host: Host,
) -> None:
    undos = (
        *(Recorded("its file"), Rewritten("worker"), Switched("switch")),
        *(Rewritten("worker"), Rewritten("old"), Reloaded("reload")),
    )

    roll_back(a_journal(host, *undos), host, ENTRY)

    assert ["old", "switch", "its file", "worker", "reload"] == Recorded.undone


def test_a_journal_that_was_never_begun_is_dropped(host: Host) -> None:
    host.state.make_directory("journal/00000001")

    assert () == hear(host)
    assert [] == [*journals(host.state)]


def test_an_interrupted_apply_is_rolled_back_by_the_next_and_reported(host: Host) -> None:
    a_journal(host, Recorded("a"))
    assert (ENTRY,) == unfinished(host)

    undone = hear(host)

    assert ("The apply of 2026-11-22T08:00:00Z was interrupted: rolling it back.",) == undone
    assert (["a"], ()) == (Recorded.undone, unfinished(host))


def test_an_apply_that_was_decided_is_finished_not_rolled_back(host: Host) -> None:
    journal = a_journal(host, Recorded("a"))
    after, row = next_records(Ledger(), {}, HistoryEntry("now", Actor(), "applied"))
    journal.commit(row, after)

    hear(host)

    assert ([], 1, row) == (
        Recorded.undone,
        read_ledger(host.state).serial,
        history.last_row(host.state),
    )


class TestARollbackThatFails:
    def test_the_rest_is_undone_and_the_next_start_continues(self, host: Host) -> None:
        journal = a_journal(host, Recorded("a"), Recorded("b"))
        Recorded.stuck.add("b")

        with pytest.raises(RollbackFailed) as error:
            roll_back(journal, host, ENTRY)

        assert (["a"], "b cannot be put back: disk gone") == (Recorded.undone, error.value.why)
        Recorded.stuck.clear()
        hear(host)
        assert (["a", "b", "a"], ()) == (Recorded.undone, unfinished(host))

    def test_nothing_new_is_applied_before_it_is_finished(self, machine: Machine) -> None:
        a_journal(machine.host, Recorded("a"))
        Recorded.stuck.add("a")

        with pytest.raises(RollbackFailed):
            machine.apply()


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        (
            lambda rows: rows[1].write_bytes(rows[1].read_bytes().replace(b"root", b"eve!")),
            "row 3 does not follow row 2: one of the two was edited",
        ),
        (
            lambda rows: rows[2].write_bytes(rows[2].read_bytes().replace(b"root", b"eve!")),
            "the ledger counts 3 rows, and the last one is not row 3",
        ),
        (lambda rows: rows[2].unlink(), "the ledger counts 3 rows, and the last one is not row 2"),
        (lambda rows: rows[1].unlink(), "row 2 is missing before row 3"),
        (lambda rows: rows[1].write_bytes(b"{"), "00000002.json cannot be read"),
    ],
    ids=["an edited row", "an edited last row", "a cut tail", "a lost row", "a damaged row"],
)
def test_a_history_that_was_tampered_with_shows_it(
    host: Host, harm: Callable[[list[Path]], object], problem: str
) -> None:
    for _ in range(3):
        roll_back(a_journal(host), host, ENTRY)
    assert () == check_history(host.state, read_ledger(host.state))[1]

    harm(sorted(Path(host.state.path_of("history")).iterdir()))

    assert problem in check_history(host.state, read_ledger(host.state))[1]


def test_a_lost_ledger_is_an_empty_one_that_goes_on_with_the_history(host: Host) -> None:
    roll_back(a_journal(host), host, ENTRY)
    os.unlink(host.state.path_of("ledger.json"))

    roll_back(a_journal(host), host, ENTRY)

    assert () == check_history(host.state, read_ledger(host.state))[1]
