"""Users' data outlives whatever is declared later, and the loss of either record of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reconcile.engine.apply import apply
from reconcile.engine.ledger import Rows, encode
from reconcile.engine.ledger_store import read_ledger
from reconcile.engine.protection_record import ProtectionUnusable, read_record
from reconcile.engine.resource import Ref, Resource
from reconcile.engine.untrack import untrack
from reconcile.engine.verification import Verification
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import HostError
from reconcile.resources.assets import Assets
from reconcile.resources.directory import Directory
from reconcile.resources.file import File
from reconcile.resources.symlink import Symlink
from reconcile.resources.tree import Tree
from reconcile.system import Host
from tests.support.machine import BY, Machine, all_is_well


@pytest.fixture
def media(machine: Machine) -> Path:
    """Media that an apply has declared, with an upload in it."""
    folder = Path(machine.path("media"))
    machine.apply(*uploads_in(folder))
    upload_to(folder)
    machine.apply(*uploads_in(folder))
    return folder


def uploads_in(folder: Path) -> list[Resource]:
    return [
        Directory(path=str(folder), mode=0o755, protected=True),
        Tree(path=str(folder), protected=True),
    ]


def upload_to(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "u.jpg").write_text("upload")


def pruned(machine: Machine, folder: str | Path) -> list[Resource]:
    source = Path(machine.path("source"))
    source.mkdir(exist_ok=True)
    (source / "a.css").write_text("a")
    return [
        Directory(path=str(folder), mode=0o755),
        Assets(path=str(folder), source=str(source), prune=True),
    ]


def is_refused(machine: Machine, *declared: Resource) -> bool:
    return bool(machine.plan(*declared).conflicts)


def record(machine: Machine) -> Path:
    return Path(machine.host.protection.path_of("folders.json"))


class TestLosingOneOfTheTwo:
    def test_the_ledger_moved_away_as_its_message_advises(
        self, machine: Machine, media: Path
    ) -> None:
        (Path(machine.state) / "ledger.json").rename(Path(machine.root) / "ledger.json")

        assert is_refused(machine, *pruned(machine, media))

    def test_a_lost_ledger_gets_what_is_protected_again(
        self, machine: Machine, media: Path
    ) -> None:
        before = read_ledger(machine.host.state).rows[Ref("tree", str(media))].places
        (Path(machine.state) / "ledger.json").unlink()

        machine.apply(File(path=machine.path("f"), content=b"x"))

        row = read_ledger(machine.host.state).rows[Ref("tree", str(media))]
        assert (True, before) == (row.protected, row.places)

    def test_the_record_moved_away(self, machine: Machine, media: Path) -> None:
        record(machine).unlink()

        assert is_refused(machine, *pruned(machine, media))

    def test_a_lost_record_is_written_again_by_the_next_apply(
        self, machine: Machine, media: Path
    ) -> None:
        before = record(machine).read_bytes()
        record(machine).unlink()

        machine.apply(*uploads_in(media))

        assert before == record(machine).read_bytes()

    def test_a_ledger_of_before_places_is_read_and_completed(
        self, machine: Machine, media: Path
    ) -> None:
        now = read_ledger(machine.host.state)
        old = {ref: replace(row, places=()) for ref, row in now.rows.items()}
        machine.host.state.write("ledger.json", encode(replace(now, rows=old)))
        record(machine).unlink()

        machine.apply(*uploads_in(media))

        assert now.rows == read_ledger(machine.host.state).rows

    def test_a_damaged_record_is_refused_with_the_way_out(
        self, machine: Machine, media: Path
    ) -> None:
        with record(machine).open("a") as file:
            file.write("X")

        with pytest.raises(ProtectionUnusable, match="cannot be used"):
            machine.plan(*uploads_in(media))

    def test_a_record_that_cannot_be_written_is_a_note(
        self, machine: Machine, media: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(host: Host, rows: Rows) -> None:
            raise HostError("it cannot be written", "the filesystem is mounted read-only")

        monkeypatch.setattr("reconcile.engine.apply.write_record", fail)

        report = machine.apply(*uploads_in(media), File(path=machine.path("f"), content=b"x"))

        assert "applied" == report.result
        assert any("in the ledger only" in note for note in report.notes)


class TestAnotherStateDirectory:
    """On a whole machine one record serves them all."""

    @pytest.fixture
    def other(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
        protection = machine.host.protection
        monkeypatch.setattr("reconcile.system.Host.protection", protection)
        return Machine(machine.root, f"{machine.state}2")

    def test_is_found_and_honoured(self, other: Machine, media: Path) -> None:
        assert is_refused(other, *pruned(other, media))

    def test_refuses_by_its_ledger_alone(
        self, machine: Machine, other: Machine, media: Path
    ) -> None:
        record(machine).write_bytes(record(machine).read_bytes())
        other.apply(File(path=other.path("f"), content=b"x"))

        assert {machine.state, other.state} >= read_record(machine.host).keys()
        assert is_refused(other, *pruned(other, media))

    def test_has_to_forget_it_too(self, machine: Machine, other: Machine, media: Path) -> None:
        other.apply(*uploads_in(media))
        refs = [Ref("tree", str(media)), Ref("directory", str(media))]

        with pytest.raises(ReconcileError, match="protected by the ledger in"):
            untrack(other.host, refs, BY, protected_too=True)

        Path(machine.state, "ledger.json").unlink()
        untrack(other.host, refs, BY, protected_too=True)
        assert not is_refused(other, *pruned(other, media))


class TestForgetting:
    def test_ends_it_in_both(self, machine: Machine, media: Path) -> None:
        refs = [Ref("tree", str(media)), Ref("directory", str(media))]

        untrack(machine.host, refs, BY, protected_too=True)

        assert not is_refused(machine, *pruned(machine, media))

    def test_works_where_only_the_record_is_left(self, machine: Machine, media: Path) -> None:
        (Path(machine.state) / "ledger.json").unlink()
        refs = [Ref("tree", str(media)), Ref("directory", str(media))]

        untrack(machine.host, refs, BY, protected_too=True)

        assert not is_refused(machine, *pruned(machine, media))

    def test_needs_the_option_where_only_the_record_is_left(
        self, machine: Machine, media: Path
    ) -> None:
        (Path(machine.state) / "ledger.json").unlink()

        with pytest.raises(ReconcileError, match="is protected"):
            untrack(machine.host, [Ref("tree", str(media))], BY)

    def test_a_rollback_of_the_apply_that_declared_it_ends_it_while_it_is_empty(
        self, machine: Machine
    ) -> None:
        folder = Path(machine.path("media"))
        machine.apply(*uploads_in(folder))
        machine.take_back()

        assert not is_refused(machine, *pruned(machine, folder))

    def test_a_rollback_does_not_while_something_is_in_it(self, machine: Machine) -> None:
        folder = Path(machine.path("media"))
        machine.apply(*uploads_in(folder))
        upload_to(folder)
        machine.take_back()

        assert is_refused(machine, *pruned(machine, folder))


def renamed(machine: Machine, media: Path) -> Path:
    """The folder above, with it."""
    Path(machine.root).rename(f"{machine.root}.moved")
    os.mkdir(machine.root)
    return Path(f"{machine.root}.moved/media")


def link_turned(machine: Machine, media: Path) -> Path:
    """Media lies behind a link that leads elsewhere now."""
    kept = Path(machine.path("kept"))
    media.rename(kept)
    other = Path(machine.path("other"))
    other.mkdir()
    media.symlink_to(other)
    return kept


class TestAPlaceThatTheNameNoLongerLeadsTo:
    @pytest.mark.parametrize("move", [renamed, link_turned], ids=lambda move: move.__name__)
    def test_stays_protected(
        self, move: Callable[[Machine, Path], Path], machine: Machine, media: Path
    ) -> None:
        folder = move(machine, media)

        assert is_refused(machine, *pruned(machine, folder))
        assert "upload" == (folder / "u.jpg").read_text()

    def test_stays_so_after_a_later_apply(self, machine: Machine, media: Path) -> None:
        kept = link_turned(machine, media)
        media.unlink()
        machine.apply(*uploads_in(media))

        assert is_refused(machine, *pruned(machine, kept))


class TestLinksThatTheSameApplyTurns:
    """The static folder is reached by a link of somebody else's, through one of ours."""

    @pytest.fixture
    def declared(self, machine: Machine) -> Callable[[str], list[Resource]]:
        root = Path(machine.root)
        for name in ("rel1", "rel2"):
            (root / name / "media").mkdir(parents=True)
        upload_to(root / "rel2/media")
        (root / "app").symlink_to(root / "cur")
        (root / "cur").symlink_to(root / "rel1")

        def declared(release: str) -> list[Resource]:
            return [
                *uploads_in(root / "rel2/media"),
                Symlink(path=str(root / "cur"), target=str(root / release)),
                *pruned(machine, root / "app/media"),
            ]

        return declared

    def test_turned_by_somebody_else_after_the_plan_it_is_rolled_back(
        self, machine: Machine, declared: Callable[[str], list[Resource]]
    ) -> None:
        machine.apply(*declared("rel1"))
        Path(machine.path("source/new.js")).write_text("new")
        plan, cur = machine.plan(*declared("rel1")), Path(machine.path("cur"))
        cur.unlink()
        cur.symlink_to(machine.path("rel2"))

        report = apply(
            plan,
            machine.host,
            Verification(all_is_well, all_is_well),
            on_event=machine.events.append,
            by=BY,
        )

        assert ("rolled_back", True) == (report.result, "which is protected" in report.error)
        assert "upload" == Path(machine.path("rel2/media/u.jpg")).read_text()

    def test_the_plan_that_turns_it_is_refused(
        self, machine: Machine, declared: Callable[[str], list[Resource]]
    ) -> None:
        [conflict] = machine.plan(*declared("rel2")).conflicts

        assert machine.path("app/media") == conflict.ref.name


class TestRemovals:
    def test_a_file_that_is_no_longer_declared_is_kept_where_its_folder_leads_there(
        self, machine: Machine, media: Path
    ) -> None:
        alias = Path(machine.path("alias"))
        file = File(path=str(alias / "u.jpg"), content=b"x")
        machine.apply(*uploads_in(media), Directory(path=str(alias), mode=0o755), file)
        (alias / "u.jpg").unlink()
        alias.rmdir()
        alias.symlink_to(media)

        report = machine.apply(*uploads_in(media))

        assert ("no_changes", "upload") == (report.result, (media / "u.jpg").read_text())

    def test_a_rollback_leaves_it_as_well(self, machine: Machine, media: Path) -> None:
        alias = Path(machine.path("alias"))
        alias.mkdir()
        machine.apply(*uploads_in(media), File(path=str(alias / "u.jpg"), content=b"upload"))
        (alias / "u.jpg").unlink()
        alias.rmdir()
        alias.symlink_to(media)

        [note] = machine.take_back()

        assert "which is protected" in note
        assert "upload" == (media / "u.jpg").read_text()


def test_nothing_is_recorded_where_nothing_is_protected(machine: Machine) -> None:
    machine.apply(File(path=machine.path("f"), content=b"x"), verify=all_is_well)

    assert not record(machine).exists()
