"""`keep`: what visitors' open pages still ask for stays for a while after a release."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from reconcile.engine.model import Plan
from reconcile.filesystem.sync.hashed_name import holds_hash
from reconcile.resources.assets import Assets
from reconcile.resources.directory import Directory
from tests.support.machine import Machine

DAY = 86_400
OLD, NEW = "app.3f9c1a2b.js", "app.77e0d1c2.js"


@pytest.mark.parametrize(
    "name",
    [
        *("app.3f9c1a2b.js", "main.55e7cbb9ba48.css", "app-3f9c1a2b77.min.js"),
        *("index-DkP3x9Qz.js", "index-DiwrgTda.css", "index-Bx-k3_9Z.js", "main-QXZ4RNBN.js"),
        *("3f9c1a2b77aa01bc.png", "style.5e1b3f9c.css.map", "app.3f9c1a2b.js.gz"),
        *("chunk.0a1b2c3d4e5f60718293.js", "app-k3j9x2ab.js", "font.a1b2c3d.woff2"),
    ],
)
def test_a_name_with_a_hash_is_recognized(name: str) -> None:
    assert holds_hash(name)


@pytest.mark.parametrize(
    "name",
    [
        *("index.html", "app.js", "jquery-3.7.1.min.js", "font-awesome.css", "robots.txt"),
        *("bootstrap.bundle.min.js", "logo-20240115.png", "report-2024-01-15.pdf"),
        *("photo_1280x720.jpg", "README", "my-component.js", "about-Contacts.js", "v20240115.js"),
        *("apple-touch-icon.png", "android-chrome-512x512.png", "LICENSE.txt", ".3f9c1a2b"),
    ],
)
def test_any_other_name_is_not(name: str) -> None:
    assert not holds_hash(name)


class Release:
    """A source and its copy, which keeps what the source dropped for a week."""

    def __init__(self, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.machine, self.source, self.patch = machine, tmp_path / "dist", monkeypatch
        self.source.mkdir()
        self.root = Path(machine.path("static"))
        self.at(0)
        self.ship(OLD, "index.html")

    def at(self, days: float) -> None:
        clock = SimpleNamespace(time=lambda: 1_800_000_000 + days * DAY)
        self.patch.setattr("reconcile.system.time", clock)

    def build(self, *names: str) -> None:
        for path in self.source.iterdir():
            path.unlink()
        for name in names:
            (self.source / name).write_text(f"content of {name}")

    def declared(self, **fields: object) -> tuple[Directory, Assets]:
        path = str(self.root)
        values = {"prune": True, "keep": 7 * DAY, **fields}
        return Directory(path=path), Assets(path=path, source=str(self.source), **values)  # type: ignore[arg-type]

    def plan(self, **fields: object) -> Plan:
        return self.machine.plan(*self.declared(**fields))

    def apply(self, **fields: object) -> str:
        return self.machine.apply(
            *self.declared(**fields), replan=partial(self.plan, **fields)
        ).result

    def ship(self, *names: str) -> None:
        self.build(*names)
        self.apply()

    @property
    def names(self) -> set[str]:
        return {path.name for path in self.root.iterdir()}


@pytest.fixture
def release(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    return Release(machine, tmp_path, monkeypatch)


def test_an_old_hashed_name_stays_for_its_time_and_goes_with_the_next_apply(
    release: Release,
) -> None:
    release.ship(NEW, "index.html")
    assert {OLD, NEW, "index.html"} == release.names

    release.at(6.9)
    assert () == release.plan().changes
    release.at(7)
    plan = release.plan()

    assert [1] == [change.files_removed for change in plan.changes]
    assert plan.changes[0].before is not None
    assert plan.changes[0].before.is_due_only
    assert "applied" == release.apply()
    assert {NEW, "index.html"} == release.names
    assert () == release.plan().changes


def test_any_other_name_goes_at_once(release: Release) -> None:
    release.ship(NEW)

    assert {OLD, NEW} == release.names


def test_its_time_begins_with_an_apply_that_had_nothing_else_to_do(release: Release) -> None:
    release.at(1)
    release.build("index.html")
    assert () == release.plan().changes
    assert "no_changes" == release.apply()

    release.at(7.9)
    assert () == release.plan().changes
    release.at(8)
    assert 1 == len(release.plan().changes)


def test_its_time_is_not_that_of_the_file(release: Release) -> None:
    release.ship(NEW, "index.html")
    os.utime(release.root / NEW, (0, 0))

    assert OLD in release.names
    release.at(3)
    release.apply()
    assert OLD in release.names


def test_what_returns_and_is_dropped_again_has_its_whole_time_again(release: Release) -> None:
    release.ship(NEW)
    release.at(5)
    release.ship(OLD)
    release.at(6)
    release.ship(NEW)

    release.at(12.9)
    assert () == release.plan().changes


def test_what_the_source_never_had_is_removed_although_its_name_has_a_hash(
    release: Release,
) -> None:
    (release.root / "evil.12ab34cd.js").write_text("planted")

    release.apply()

    assert {OLD, "index.html"} == release.names


def test_what_was_changed_by_hand_since_is_removed(release: Release) -> None:
    release.ship(NEW)
    (release.root / OLD).write_text("something else")

    plan = release.plan()

    assert [1] == [change.files_removed for change in plan.changes]
    assert not plan.changes[0].subject.is_due_only


def test_compressed_copies_stay_with_their_file(release: Release) -> None:
    (release.source / OLD).write_text("console.log(1);\n" * 200)
    release.apply(precompress=("gzip",))
    assert f"{OLD}.gz" in release.names
    release.build(NEW)
    release.apply(precompress=("gzip",))

    assert {OLD, f"{OLD}.gz", NEW} == release.names
    assert () == release.plan(precompress=("gzip",)).changes


def test_a_rollback_restores_when_it_was_dropped(release: Release) -> None:
    release.ship(NEW)
    release.machine.take_back()

    assert {OLD, "index.html"} == release.names
    release.at(8)
    release.ship(NEW)
    assert {OLD, NEW} == release.names


def test_it_all_goes_once_the_location_goes(release: Release) -> None:
    release.ship(NEW)

    release.machine.apply()

    assert not release.root.exists()


def test_without_keep_everything_goes_at_once(release: Release) -> None:
    release.build(NEW)

    release.apply(keep=None)

    assert {NEW} == release.names
