"""A removal takes only what no desired resource holds; a claim may pass to another one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconcile.engine.resource import Resource
from reconcile.resources.assets import Assets
from reconcile.resources.directory import Directory
from reconcile.resources.file import File
from reconcile.resources.symlink import Symlink
from tests.support.disk import picture
from tests.support.machine import Machine

pytestmark = pytest.mark.process


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    for path in ("app.js", "css/site.css", "css/print.css"):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(f"content of {path}")
    return source


def folders(*names: str, at: Machine) -> list[Resource]:
    return [Directory(path=at.path(name), user="root", group="root", mode=0o755) for name in names]


def copy(name: str, source: Path, at: Machine, **more: object) -> Assets:
    return Assets(path=at.path(name), source=str(source), user="root", group="root", **more)  # type: ignore[arg-type]


@pytest.fixture
def narrowed(machine: Machine, source: Path) -> list[Resource]:
    """`/static/` was served as a whole; now only `/static/css/` is."""
    machine.apply(*folders("static", at=machine), copy("static", source, machine))
    return [
        *folders("static", "static/css", at=machine),
        copy("static/css", source / "css", machine),
    ]


def test_a_narrowed_copy_keeps_what_it_still_holds(
    machine: Machine, narrowed: list[Resource]
) -> None:
    assert "applied" == machine.apply(*narrowed).result

    css = {"static/css", "static/css/print.css", "static/css/site.css"}
    assert {"static"} | css == picture(Path(machine.root)).keys()
    assert () == machine.plan(*narrowed).changes


def test_a_narrowed_copy_is_removed_as_a_whole_later(
    machine: Machine, narrowed: list[Resource]
) -> None:
    machine.apply(*narrowed)

    machine.apply()

    assert {} == picture(Path(machine.root))


def test_a_widened_copy_keeps_what_the_narrow_one_wrote(machine: Machine, source: Path) -> None:
    machine.apply(
        *folders("static", "static/css", at=machine),
        copy("static/css", source / "css", machine),
    )
    wide = [*folders("static", at=machine), copy("static", source, machine)]

    assert "applied" == machine.apply(*wide).result

    assert (source / "css/site.css").read_text() == Path(
        machine.path("static/css/site.css")
    ).read_text()
    assert () == machine.plan(*wide).changes


def test_a_copy_that_becomes_single_files_keeps_them(machine: Machine, source: Path) -> None:
    machine.apply(*folders("static", at=machine), copy("static", source, machine))
    kept = File(path=machine.path("static/app.js"), content=b"content of app.js", mode=0o644)
    declared = [*folders("static", at=machine), kept]

    assert "applied" == machine.apply(*declared).result

    assert {"static", "static/app.js"} == picture(Path(machine.root)).keys()
    assert () == machine.plan(*declared).changes


def test_a_file_that_becomes_part_of_a_copy_is_kept(machine: Machine, source: Path) -> None:
    single = File(path=machine.path("static/app.js"), content=b"content of app.js", mode=0o644)
    machine.apply(*folders("static", at=machine), single)
    declared = [*folders("static", at=machine), copy("static", source, machine)]

    assert "applied" == machine.apply(*declared).result

    assert Path(machine.path("static/app.js")).exists()
    assert () == machine.plan(*declared).changes


def test_a_copy_follows_a_link_that_the_same_apply_turns(machine: Machine, tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"rel{number}").mkdir()
        (tmp_path / f"rel{number}/a.js").write_text(f"release {number}")
    current = tmp_path / "current"

    def release(number: int) -> list[Resource]:
        link = Symlink(path=str(current), target=str(tmp_path / f"rel{number}"))
        return [*folders("static", at=machine), link, copy("static", current, machine)]

    first = machine.apply(*release(1))
    second = machine.apply(*release(2))

    assert ("applied", "applied") == (first.result, second.result)
    assert "release 2" == Path(machine.path("static/a.js")).read_text()
    assert () == machine.plan(*release(2)).changes


def test_a_directory_is_kept_for_an_empty_one_that_is_protected(machine: Machine) -> None:
    media = Directory(path=machine.path("www/media"), mode=0o755, protected=True)
    machine.apply(*folders("www", at=machine), media)

    plan = machine.plan()

    assert () == plan.changes
    assert "applied" != machine.apply().result
    assert {"www", "www/media"} == picture(Path(machine.root)).keys()


def test_a_widened_copy_is_removed_as_a_whole_later(machine: Machine, source: Path) -> None:
    machine.apply(
        *folders("static", "static/css", at=machine),
        copy("static/css", source / "css", machine),
    )
    machine.apply(*folders("static", at=machine), copy("static", source, machine))

    assert "applied" == machine.apply().result

    assert {} == picture(Path(machine.root))


@pytest.mark.parametrize("prune", [False, True])
def test_a_file_that_takes_the_place_of_a_copied_one_takes_its_sibling_along(
    machine: Machine, source: Path, prune: bool
) -> None:
    (source / "app.js").write_text("content of app.js" * 100)
    copied = copy("static", source, machine, precompress=("gzip",), prune=prune)
    machine.apply(*folders("static", at=machine), copied)
    own = File(path=machine.path("static/app.js"), content=b"own", mode=0o644)
    declared = [
        *folders("static", at=machine),
        replace(copied, except_=(machine.path("static/app.js"),)),
        own,
    ]

    assert "applied" == machine.apply(*declared).result

    assert not Path(machine.path("static/app.js.gz")).exists()
    assert () == machine.plan(*declared).changes


def test_a_copy_that_takes_over_leaves_the_sibling_of_a_file_that_it_does_not_write(
    machine: Machine, source: Path
) -> None:
    (source / "css/site.css").write_text("content of site.css" * 100)
    wide = copy("static", source, machine, precompress=("gzip",))
    machine.apply(*folders("static", at=machine), wide)
    own = File(path=machine.path("static/css/site.css"), content=b"own", mode=0o644)
    narrow = copy("static/css", source / "css", machine, precompress=("gzip",), except_=(own.path,))
    declared = [*folders("static", "static/css", at=machine), narrow, own]

    assert "applied" == machine.apply(*declared).result

    assert not Path(f"{own.path}.gz").exists()
    assert () == machine.plan(*declared).changes
