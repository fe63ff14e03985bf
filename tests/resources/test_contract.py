"""What holds for every kind that is a path, whatever it is."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconcile.engine.diff import differences
from reconcile.engine.resource import Resource
from reconcile.errors import ReconcileError
from reconcile.resources.assets import Assets
from reconcile.resources.directory import Directory
from reconcile.resources.file import File
from reconcile.resources.registry import MODULES, load
from reconcile.resources.symlink import Symlink
from reconcile.resources.tree import Tree
from reconcile.system import Host
from tests.support.completed import completed
from tests.support.disk import picture
from tests.support.recorder import recording

pytestmark = pytest.mark.process

WEB = "www-data"
WEB_UID = 33
STARTED = ("unit", "service", "nginx_live", "certificate", "release")
"""Kinds that are more than their files; they have tests of their own."""


def nothing(site: Path) -> None:
    """The folder as it is: empty."""


@dataclass(frozen=True)
class Case:
    """A kind, what is on the disk before, and what is wanted (the path lies in the folder)."""

    make: Callable[[str], Resource]
    before: Callable[[Path], None] = nothing


def other_file(site: Path) -> None:
    (site / "it").write_text("other")
    (site / "it").chmod(0o600)


def other_directory(site: Path) -> None:
    (site / "it").mkdir(mode=0o700)
    os.chown(site / "it", 1, 1)


def other_link(site: Path) -> None:
    (site / "it").symlink_to("elsewhere")


def uploads(site: Path) -> None:
    (site / "it/2026/deep").mkdir(parents=True)
    for path in ("it/a.jpg", "it/2026/b.jpg", "it/2026/deep/c.jpg"):
        (site / path).write_bytes(b"photo")
    (site / "it/a.jpg").chmod(0o600)
    (site / "it/2026").chmod(0o700)


def old_copy(site: Path) -> None:
    source(site)
    (site / "it/css").mkdir(parents=True)
    (site / "it/css/app.css").write_text("old{}")
    (site / "it/css/app.css.gz").write_bytes(b"old, compressed")
    (site / "it/gone.js").write_text("not in the source")


def source(site: Path) -> None:
    for path in ("css/app.css", "index.html", "img/logo.png"):
        file = site / "source" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"new {path}")


def empty_root(site: Path) -> None:
    source(site)
    (site / "it").mkdir()


def file(path: str) -> Resource:
    return File(path=path, content=b"text\n", user=WEB, group="root", mode=0o640)


def assets(path: str, *, prune: bool = False) -> Resource:
    return Assets(
        path=path,
        source=str(Path(path).with_name("source")),
        user="root",
        group=WEB,
        prune=prune,
        extra={"health.txt": b"ok\n"},
    )


def directory(path: str) -> Resource:
    return Directory(path=path, user=WEB, group=WEB, mode=0o2750)


def tree(path: str) -> Resource:
    return Tree(path=path, user=WEB, group=WEB)


CASES = {
    "directory: absent": Case(directory),
    "directory: another owner and mode": Case(directory, other_directory),
    "directory: entered by one more": Case(
        lambda path: Directory(path=path, enterable_by=(WEB, "nobody")), other_directory
    ),
    "file: absent": Case(file),
    "file: other content, owner and mode": Case(file, other_file),
    "file: only its mode is managed": Case(lambda path: File(path=path, mode=0o444), other_file),
    "symlink: absent": Case(lambda path: Symlink(path=path, target="x")),
    "symlink: another target": Case(lambda path: Symlink(path=path, target="x"), other_link),
    "tree: other owners and modes": Case(tree, uploads),
    "assets: an empty root": Case(assets, empty_root),
    "assets: an old copy": Case(assets, old_copy),
    "assets: an old copy, pruned": Case(lambda path: assets(path, prune=True), old_copy),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


def put(host: Host, wanted: Resource) -> tuple[Resource | None, Resource | None]:
    """As an apply does: what was there, and what is read again."""
    before = wanted.observe(host)
    after = completed(wanted, before, host)
    after.apply(host, before)
    return before, after.refresh(host, before)


def test_every_kind_that_is_a_path_is_held_to_this_contract() -> None:
    assert {name.partition(":")[0] for name in CASES} == MODULES.keys() - set(STARTED)


def test_what_was_put_is_what_is_observed(host: Host, site: Path, case: Case) -> None:
    case.before(site)
    wanted = case.make(f"{site}/it")
    assert () != differences(wanted.observe(host), wanted)

    _, reread = put(host, wanted)

    assert () == differences(reread, wanted)
    assert () == differences(wanted.observe(host), wanted)


def test_a_second_put_changes_nothing(host: Host, site: Path, case: Case) -> None:
    case.before(site)
    wanted = case.make(f"{site}/it")
    put(host, wanted)
    before = picture(site)

    put(host, wanted)

    assert before == picture(site)


def test_observing_changes_nothing(host: Host, site: Path, tmp_path: Path, case: Case) -> None:
    case.before(site)
    before = picture(tmp_path)

    case.make(f"{site}/it").observe(host)

    assert before == picture(tmp_path)


def test_undo_restores_content_owner_mode_and_mtime(host: Host, site: Path, case: Case) -> None:
    case.before(site)
    before = picture(site)
    recorder = recording(host)

    put(host, case.make(f"{site}/it"))
    notes = recorder.take_back(host)

    assert before == picture(site)
    assert [] == notes


def test_what_is_shown_names_every_field_that_is_managed(
    host: Host, site: Path, case: Case
) -> None:
    case.before(site)
    wanted = case.make(f"{site}/it")

    for there in (wanted, wanted.observe(host)):
        if there is not None:
            assert there.managed().keys() == there.display().keys()


def test_what_is_below_someone_elses_directory_leads_nowhere_else(
    host: Host, site: Path, tmp_path: Path, case: Case
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    case.before(outside)
    before = picture(outside)
    os.chown(site, WEB_UID, WEB_UID)
    (site / "it").symlink_to(outside / "it")
    (site / "source").symlink_to(outside / "source")

    with suppress(ReconcileError):
        put(host, case.make(f"{site}/it"))

    assert before == picture(outside)


def test_a_name_of_any_bytes_is_put_and_observed(host: Host, site: Path, case: Case) -> None:
    odd = os.fsdecode(b"\xff\n\x1b[31m'\"; rm")
    (site / odd).mkdir()
    case.before(site / odd)
    wanted = case.make(f"{site}/{odd}/it")

    put(host, wanted)

    assert () == differences(wanted.observe(host), wanted)


def test_of_makes_what_can_be_observed_for_a_removal(host: Host, site: Path, case: Case) -> None:
    case.before(site)
    wanted = case.make(f"{site}/it")
    put(host, wanted)

    found = load(wanted.kind).from_name(wanted.name).observe(host)

    assert found is not None
    assert wanted.ref == found.ref
