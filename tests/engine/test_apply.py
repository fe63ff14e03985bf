"""Carrying out a plan on real files, as a whole or not at all."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, Literal, Self

import pytest

from reconcile.dataclass import dataclass
from reconcile.engine import history
from reconcile.engine.history import current_number
from reconcile.engine.history_integrity import check_history
from reconcile.engine.journal import Journal
from reconcile.engine.ledger_store import read_ledger
from reconcile.engine.model import Change, Check
from reconcile.engine.recovery import unfinished
from reconcile.engine.resource import Ref, Resource
from reconcile.engine.rollback import RETAINED
from reconcile.errors import LockHeld, ReconcileError
from reconcile.filesystem.file_undo import Replaced
from reconcile.resources.assets import Assets
from reconcile.resources.directory import Directory
from reconcile.resources.file import File
from reconcile.resources.symlink import Symlink
from reconcile.resources.tree import Tree
from reconcile.system import Host
from reconcile.system.lock import lock
from tests.support.machine import Machine


@dataclass(frozen=True, kw_only=True)
class Trap(Resource):
    """Does something unexpected when it is put, after everything else."""

    kind: Literal["trap"] = "trap"
    spring: Callable[[], object]
    rehearsal: Callable[[], object] = lambda: None
    notes: tuple[str, ...] = ()
    order: ClassVar[int] = 90
    removal_order: ClassVar[int] = 90
    metadata_fields: ClassVar[frozenset[str]] = frozenset({"spring", "rehearsal", "notes"})
    when_undeclared: ClassVar[Literal["remove", "remove_if_created", "forget"]] = "forget"

    @property
    def name(self) -> str:
        return "trap"

    def observe(self, host: Host) -> Self | None:
        return None

    def apply(self, host: Host, before: Self | None) -> None:
        self.spring()

    def preflight(self, host: Host, changes: object) -> Sequence[str]:
        self.rehearsal()
        return self.notes

    def refresh(self, host: Host, before: Self | None) -> Self | None:
        return self


def a_site(machine: Machine, text: bytes = b"server {}\n") -> list[Resource]:
    """A folder with a file in it and a link to that."""
    folder, file = machine.path("sites"), machine.path("sites/shop.conf")
    return [
        Directory(path=folder, mode=0o755),
        File(path=file, content=text, mode=0o644),
        Symlink(path=machine.path("enabled"), target=file),
    ]


def refuse() -> None:
    raise ReconcileError("nginx refuses the configuration.", "bogus directive")


def down() -> tuple[Check, ...]:
    return (Check("GET /", "fail", "502 from nginx"), Check("GET /static/", "pass"))


def events(machine: Machine) -> list[tuple[str, str]]:
    return [(e.type, str(e.change.ref.kind) if e.change else e.message) for e in machine.events]


def history_of(machine: Machine) -> list[tuple[str, int]]:
    return [
        (row.entry.result, len(row.entry.changes))
        for row in history.rows(machine.host.state)
        if isinstance(row, history.HistoryRow)
    ]


def test_an_apply_makes_the_host_as_declared_and_the_next_plan_is_empty(machine: Machine) -> None:
    report = machine.apply(*a_site(machine))

    assert ("applied", 3) == (report.result, len(report.done))
    assert b"server {}\n" == Path(machine.path("enabled")).read_bytes()
    assert () == machine.plan(*a_site(machine)).changes


def test_a_second_apply_changes_nothing_and_writes_nothing(machine: Machine) -> None:
    machine.apply(*a_site(machine))
    before = {path: path.stat().st_mtime_ns for path in Path(machine.state).rglob("*.json")}

    report = machine.apply(*a_site(machine))

    assert "no_changes" == report.result
    after = {path: path.stat().st_mtime_ns for path in Path(machine.state).rglob("*.json")}
    assert before == after


def test_what_is_as_declared_already_is_taken_over(machine: Machine) -> None:
    folder = Directory(path=machine.path("sites"), mode=0o755)
    Path(folder.path).mkdir(mode=0o755)

    report = machine.apply(folder)

    assert "no_changes" == report.result
    assert not read_ledger(machine.host.state).rows[folder.ref].created


def test_a_file_dropped_from_the_yaml_is_removed(machine: Machine) -> None:
    machine.apply(*a_site(machine))

    machine.apply()

    assert {} == machine.manifest()
    assert {} == read_ledger(machine.host.state).rows


def test_every_step_is_reported_while_it_happens(machine: Machine) -> None:
    machine.apply(*a_site(machine))

    assert [
        ("apply_start", "directory"),
        ("apply_complete", "directory"),
        ("apply_start", "file"),
        ("apply_complete", "file"),
        ("apply_start", "symlink"),
        ("apply_complete", "symlink"),
        ("check", ""),
    ] == events(machine)


class TestRollback:
    def test_a_failed_check_rolls_everything_back(self, machine: Machine) -> None:
        machine.apply(*a_site(machine))
        before = machine.manifest()

        report = machine.apply(*a_site(machine, b"server { listen 81; }\n"), verify=down)

        assert before == machine.manifest()
        assert ("rolled_back", (), "GET /: 502 from nginx") == (
            report.result,
            report.done,
            report.why,
        )
        assert 3 == report.exit_code(detailed=False)

    def test_a_change_that_fails_rolls_everything_back(self, machine: Machine) -> None:
        report = machine.apply(*a_site(machine), Trap(spring=refuse))

        assert {} == machine.manifest()
        assert "nginx refuses the configuration." == report.error

    def test_a_removal_is_undone_with_content_owner_mode_and_mtime(self, machine: Machine) -> None:
        machine.apply(*a_site(machine))
        before = machine.manifest()

        machine.apply(verify=down)

        assert before == machine.manifest()

    def test_what_is_read_back_must_be_what_was_written(self, machine: Machine) -> None:
        class Stubborn(File):
            def apply(self, host: Host, before: Self | None) -> None:
                super().apply(host, before)
                host.files.set_permissions(
                    self.path, uid=os.geteuid(), gid=os.getegid(), mode=0o600
                )

        file = Stubborn(path=machine.path("a"), content=b"x", mode=0o644)

        report = machine.apply(file)

        assert ("rolled_back", "mode is '0600', not '0644'") == (report.result, report.why)
        assert {} == machine.manifest()

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_an_interrupt_rolls_everything_back(
        self, machine: Machine, number: signal.Signals
    ) -> None:
        before = signal.getsignal(number)

        report = machine.apply(*a_site(machine), Trap(spring=lambda: signal.raise_signal(number)))

        assert ("rolled_back", f"The apply was interrupted by {number.name}.") == (
            report.result,
            report.error,
        )
        assert 128 + number == report.exit_code(detailed=False)
        assert {} == machine.manifest()
        assert before == signal.getsignal(number)

    def test_an_interrupt_while_taking_back_is_not_heard(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        restore = Replaced.undo

        def restore_disturbed(self: Replaced, host: Host) -> str:
            signal.raise_signal(signal.SIGINT)
            return restore(self, host)

        monkeypatch.setattr(Replaced, "undo", restore_disturbed)

        report = machine.apply(*a_site(machine), verify=down)

        assert ("rolled_back", {}) == (report.result, machine.manifest())

    def test_an_internal_error_rolls_everything_back_and_is_reported(
        self, machine: Machine
    ) -> None:
        with pytest.raises(ZeroDivisionError):
            machine.apply(*a_site(machine), Trap(spring=lambda: 1 // 0))

        assert {} == machine.manifest()

    def test_a_listener_that_breaks_rolls_everything_back(self, machine: Machine) -> None:
        class Pipe(list):  # type: ignore[type-arg]  # of events
            def append(self, event: object) -> None:
                raise BrokenPipeError(32, "Broken pipe")

        machine.events = Pipe()

        with pytest.raises(BrokenPipeError):
            machine.apply(*a_site(machine))

        assert {} == machine.manifest()
        assert () == unfinished(machine.host)

    def test_notes_of_the_preflight_are_findings_of_the_plan(self, machine: Machine) -> None:
        plan = machine.plan(Trap(spring=lambda: None, notes=("tested on a copy",)))

        assert [("config-test", "note", "tested on a copy")] == [
            (finding.rule, finding.severity, finding.what) for finding in plan.findings
        ]

    def test_what_fails_the_preflight_fails_the_plan_and_changes_nothing(
        self, machine: Machine
    ) -> None:
        plan = machine.plan(*a_site(machine), Trap(spring=refuse, rehearsal=refuse))
        assert 1 == plan.exit_code(detailed=False)

        with pytest.raises(ReconcileError, match="nginx refuses"):
            machine.apply(*a_site(machine), Trap(spring=refuse, rehearsal=refuse))

        assert {} == machine.manifest()
        assert [] == history_of(machine)

    def test_the_report_has_the_checks_that_decided(self, machine: Machine) -> None:
        machine.verify_rolled_back = down

        report = machine.apply(*a_site(machine), verify=down)

        assert down() == report.checks
        assert ("Still failing after the rollback: GET /: 502 from nginx",) == report.notes

    def test_without_rollback_completed_changes_stay_and_are_owned(self, machine: Machine) -> None:
        report = machine.apply(*a_site(machine), Trap(spring=refuse), roll_back=False)

        assert ("failed", 1) == (report.result, report.exit_code(detailed=False))
        assert {Ref("trap", "trap")} == {
            change.ref for change in machine.plan(*a_site(machine), Trap(spring=refuse)).changes
        }

    def test_the_ledger_after_a_rollback_is_the_one_before(self, machine: Machine) -> None:
        machine.apply(*a_site(machine))
        rows = read_ledger(machine.host.state).rows

        machine.apply(verify=down)

        assert rows == read_ledger(machine.host.state).rows

    def test_what_was_changed_meanwhile_is_kept_and_reported(self, machine: Machine) -> None:
        file = Path(machine.path("a"))
        machine.apply(File(path=str(file), content=b"old", mode=0o644))

        def meddle() -> tuple[Check, ...]:
            file.write_bytes(b"mine")
            return down()

        report = machine.apply(File(path=str(file), content=b"new", mode=0o644), verify=meddle)

        assert b"mine" == file.read_bytes()
        (note,) = report.notes
        assert "has been changed since" in note
        kept = note.rpartition(" ")[2]
        assert b"old" == Path(kept).read_bytes()


class TestLeftovers:
    def test_files_that_somebody_else_can_have_put_there_are_left_to_the_next_plan(
        self, machine: Machine, tmp_path: Path
    ) -> None:
        source, path = tmp_path / "source", machine.path("static")
        (source / "folder").mkdir(parents=True)
        (source / "folder/b.js").write_text("b")
        shelf = Directory(path=path, user="root", group="root", mode=0o755)
        copied = Assets(path=path, source=str(source), user="root", group="root")
        machine.apply(shelf, copied)
        Path(path, "folder").chmod(0o775)
        os.chown(Path(path, "folder/b.js"), 1, 1)

        report = machine.apply(shelf, copied, replan=lambda: machine.plan(shelf, copied))

        assert "applied" == report.result, (report.error, report.why)
        assert "were left alone while somebody else could write" in "".join(report.notes)
        # Its directory is nobody else's any more.
        assert "applied" == machine.apply(shelf, copied).result
        assert () == machine.plan(shelf, copied).changes


class TestContinuity:
    def test_what_the_source_lacks_is_served_until_every_other_change_is_made(
        self, machine: Machine, tmp_path: Path
    ) -> None:
        source, seen = tmp_path / "source", list[bool]()
        (source / "folder").mkdir(parents=True)
        for name in ("a.js", "folder/b.js"):
            (source / name).write_text(name)
        shelf = Directory(path=machine.path("static"), mode=0o755)
        copied = Assets(path=machine.path("static"), source=str(source), prune=True)
        machine.apply(shelf, copied)
        shutil.rmtree(source / "folder")
        old = Path(machine.path("static/folder/b.js"))

        report = machine.apply(shelf, copied, Trap(spring=lambda: seen.append(old.exists())))

        assert ("applied", [True], False) == (report.result, seen, old.parent.exists())


class TestTakingBackTheLast:
    def test_the_host_is_what_it_was_before_the_last_apply(self, machine: Machine) -> None:
        machine.apply(*a_site(machine))
        before, rows = machine.manifest(), read_ledger(machine.host.state).rows
        machine.apply(*a_site(machine, b"server { listen 81; }\n"))

        machine.take_back()

        assert (before, rows) == (machine.manifest(), read_ledger(machine.host.state).rows)

    def test_a_mode_that_was_changed_since_is_kept_and_reported(self, machine: Machine) -> None:
        file = Path(machine.path("a"))
        file.touch()
        file.chmod(0o666)
        machine.apply(File(path=str(file), mode=0o644))
        file.chmod(0o600)

        [note] = machine.take_back()

        assert f"{file} has been changed since, so it was left as it is" == note
        assert 0o100600 == file.stat().st_mode

    def test_it_is_in_the_history(self, machine: Machine) -> None:
        machine.apply(*a_site(machine))
        machine.take_back()

        assert [("applied", 3), ("rolled_back", 3)] == history_of(machine)
        assert () == check_history(machine.host.state, read_ledger(machine.host.state))[1]

    def test_there_is_nothing_to_take_back_on_a_fresh_host(self, machine: Machine) -> None:
        with pytest.raises(ReconcileError, match="No apply can be rolled back"):
            machine.take_back()

    def test_what_is_kept_for_it_is_bounded(self, machine: Machine) -> None:
        for count in range(RETAINED + 3):
            machine.apply(*a_site(machine, b"# %d\n" % count))

        assert RETAINED == len([*(Path(machine.state) / "journal").iterdir()])


class TestTakingBackSeveral:
    @pytest.fixture
    def states(self, machine: Machine) -> list[dict[str, tuple[object, ...]]]:
        """What is there before, after the first, the second and the third apply."""
        found = [machine.manifest()]
        for count in range(3):
            machine.apply(*a_site(machine, b"# %d\n" % count))
            found.append(machine.manifest())
        return found

    @pytest.mark.parametrize("number", [0, 1, 2])
    def test_the_host_is_as_an_apply_had_left_it(
        self, machine: Machine, states: list[dict[str, tuple[object, ...]]], number: int
    ) -> None:
        machine.take_back(to=number)

        assert states[number] == machine.manifest()
        assert number == current_number(machine.host.state)
        assert () == check_history(machine.host.state, read_ledger(machine.host.state))[1]

    def test_a_second_rollback_goes_one_apply_further_back(
        self, machine: Machine, states: list[dict[str, tuple[object, ...]]]
    ) -> None:
        machine.take_back()
        machine.take_back()

        assert states[1] == machine.manifest()

    def test_a_rollback_may_be_followed_by_an_apply_and_undone_with_it(
        self, machine: Machine, states: list[dict[str, tuple[object, ...]]]
    ) -> None:
        machine.take_back()
        machine.apply(*a_site(machine, b"# other\n"))

        machine.take_back(to=1)

        assert states[1] == machine.manifest()

    def test_a_state_that_was_rolled_back_itself_is_refused(
        self, machine: Machine, states: list[dict[str, tuple[object, ...]]]
    ) -> None:
        machine.take_back()
        machine.apply(*a_site(machine, b"# other\n"))
        before = machine.manifest()

        with pytest.raises(ReconcileError, match="The state that #3 left is gone"):
            machine.take_back(to=3)
        assert before == machine.manifest()

    def test_an_apply_whose_journal_is_gone_is_refused(self, machine: Machine) -> None:
        for count in range(RETAINED + 2):
            machine.apply(*a_site(machine, b"# %d\n" % count))

        with pytest.raises(ReconcileError, match="#2 can no longer be rolled back"):
            machine.take_back(to=1)

    def test_nothing_after_the_last_apply_is_there_to_undo(
        self, machine: Machine, states: list[dict[str, tuple[object, ...]]]
    ) -> None:
        with pytest.raises(ReconcileError, match="No apply after #3"):
            machine.take_back(to=3)

    def test_one_that_was_killed_after_its_first_journal_is_finished_by_the_next_command(
        self, machine: Machine, states: list[dict[str, tuple[object, ...]]], monkeypatch
    ) -> None:
        real, seen = Journal.finalize, []

        def killed(journal: Journal) -> None:
            if seen:
                raise KeyboardInterrupt
            seen.append(journal)
            real(journal)

        with monkeypatch.context() as patch:
            patch.setattr(Journal, "finalize", killed)
            with pytest.raises(KeyboardInterrupt):
                machine.take_back(to=0)
        machine.recover()

        assert (states[0], 0) == (machine.manifest(), current_number(machine.host.state))


@pytest.mark.process
def test_a_folder_that_holds_what_undo_needs_stays_and_the_apply_holds(
    machine: Machine, memory: Path
) -> None:
    machine.state = str(memory / "state")
    folder, page = machine.path("www"), machine.path("www/page.html")
    machine.apply(Directory(path=folder), File(path=page, content=b"a page"))

    report = machine.apply()

    assert "applied" == report.result
    assert not os.path.exists(page)
    (note,) = report.notes
    assert note.startswith(
        f"directory:{folder} was not removed: it still contains .page.html.reconcile-"
    )


def uploads_in(media: str) -> tuple[Directory, Tree]:
    return Directory(path=media, mode=0o755, protected=True), Tree(path=media, protected=True)


class TestWhatArrivedMeanwhile:
    def test_uploads_stay_protected_though_their_apply_is_rolled_back(
        self, machine: Machine
    ) -> None:
        media = machine.path("media")
        machine.apply(*uploads_in(media))
        Path(media, "cat.jpg").write_bytes(b"a cat")

        machine.take_back()

        assert {Ref("directory", media), Ref("tree", media)} == read_ledger(
            machine.host.state
        ).rows.keys()
        assert machine.plan(Assets(path=media, source=machine.path("app"), prune=True)).conflicts

    def test_an_empty_folder_is_forgotten(self, machine: Machine) -> None:
        media = machine.path("media")
        machine.apply(*uploads_in(media))

        machine.take_back()

        assert {} == read_ledger(machine.host.state).rows


def test_only_one_apply_is_at_work(machine: Machine) -> None:
    with lock(machine.host, "reconcile apply"), pytest.raises(LockHeld, match="another apply"):
        machine.apply(*a_site(machine))


def test_every_state_file_is_private(machine: Machine) -> None:
    os.umask(0)
    try:
        machine.apply(*a_site(machine))
    finally:
        os.umask(0o022)

    modes = {
        (path.is_dir(), path.stat().st_mode & 0o777)
        for path in [Path(machine.state), *Path(machine.state).rglob("*")]
        if "keep" not in path.parts
    }
    assert {(True, 0o700), (False, 0o600)} == modes


def test_a_change_may_not_go_from_nothing_to_nothing() -> None:
    with pytest.raises(ValueError, match="from nothing to nothing"):
        Change(Ref("file", "/a"), None, None).subject  # noqa: B018 - reading it is the point


@dataclass(frozen=True, kw_only=True)
class Revealing(Trap):
    """Exists once it was made; then something else has to change."""

    marker: str
    reveals_changes: ClassVar[bool] = True
    metadata_fields: ClassVar[frozenset[str]] = Trap.metadata_fields | {"marker"}

    def observe(self, host: Host) -> Self | None:
        return self if os.path.exists(self.marker) else None


@pytest.mark.parametrize(
    ("verify", "result", "left"),
    [(tuple, "applied", b"after\n"), (down, "rolled_back", None)],
    ids=["applied", "rolled back"],
)
def test_what_a_change_reveals_is_part_of_the_same_apply(
    machine: Machine, verify: Callable[[], Sequence[Check]], result: str, left: bytes | None
) -> None:
    marker, path = Path(machine.state).with_name("marker"), machine.path("a")
    revealing = Revealing(spring=marker.touch, marker=str(marker))

    def declared() -> list[Resource]:
        text = b"after\n" if marker.exists() else b"before\n"
        return [File(path=path, content=text, mode=0o644), revealing]

    report = machine.apply(*declared(), verify=verify, replan=lambda: machine.plan(*declared()))

    assert (result, left) == (
        report.result,
        Path(path).read_bytes() if os.path.exists(path) else None,
    )
    changed = [str(change.ref) for change in report.plan.changes]
    assert [f"file:{path}", "trap:trap"] == changed
