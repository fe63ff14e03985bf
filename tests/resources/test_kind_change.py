"""A copied file that becomes a directory, and the reverse: only what was copied gives way."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reconcile.engine.model import Plan
from reconcile.filesystem.host_error import HostError
from reconcile.resources.assets import Assets
from reconcile.resources.directory import Directory
from tests.support.machine import Machine

pytestmark = pytest.mark.process

Act = Callable[[Path], object]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    for name in ("app", "docs/intro/index.html", "docs/more.html"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(f"first {name}\n" * 100)
    return source


@pytest.fixture
def assets(source: Path, machine: Machine) -> Assets:
    return Assets(
        path=machine.path("static"),
        source=str(source),
        user="root",
        group="root",
        precompress=("gzip",),
    )


@pytest.fixture
def copied(assets: Assets, source: Path, machine: Machine) -> Path:
    """The copy, once both names have become of the other kind in the source."""
    apply(machine, assets)
    (source / "app").unlink()
    (source / "app/deep").mkdir(parents=True)
    (source / "app/deep/main.js").write_text("main")
    shutil.rmtree(source / "docs")
    (source / "docs").write_text("one file")
    return Path(assets.path)


def plan(machine: Machine, assets: Assets) -> Plan:
    return machine.plan(Directory(path=assets.path, mode=0o755), assets)


def apply(machine: Machine, assets: Assets) -> None:
    report = machine.apply(Directory(path=assets.path, mode=0o755), assets)
    assert "applied" == report.result
    assert () == plan(machine, assets).changes


def names(folder: str | Path) -> list[str]:
    return sorted(str(one.relative_to(folder)) for one in Path(folder).rglob("*"))


def test_one_apply_is_enough(machine: Machine, assets: Assets, copied: Path, source: Path) -> None:
    (change,) = plan(machine, assets).changes
    assert 3 + len(["index.html.gz", "more.html.gz"]) == change.files_removed

    apply(machine, assets)

    assert names(source) == names(copied)
    assert "one file" == (copied / "docs").read_text()


def test_a_rollback_restores_both(machine: Machine, assets: Assets, copied: Path) -> None:
    before = machine.manifest()
    apply(machine, assets)

    assert () == machine.take_back()

    assert before == machine.manifest()


def test_a_release_clears_them_with_what_it_overwrites(
    machine: Machine, assets: Assets, copied: Path
) -> None:
    apply(machine, replace(assets, at_switch=True))

    assert ["app", "app/deep", "app/deep/main.js", "docs"] == names(copied)


@pytest.mark.parametrize(
    ("act", "named"),
    [
        (lambda copy: (copy / "app").write_text("by hand"), "app"),
        (lambda copy: (copy / "docs/more.html").write_text("by hand"), "docs/more.html"),
        (lambda copy: (copy / "docs/new.html").write_text("by hand"), "docs/new.html"),
        (lambda copy: (copy / "docs/intro/empty").mkdir(), "docs/intro/empty"),
        (lambda copy: (copy / "docs/.hidden").write_text("by hand"), "docs/.hidden"),
        (lambda copy: os.symlink("/etc/passwd", copy / "docs/link"), "docs/link"),
    ],
)
def test_what_somebody_made_or_changed_stays_and_is_named(
    act: Act, named: str, machine: Machine, assets: Assets, copied: Path
) -> None:
    act(copied)
    before = machine.manifest()

    with pytest.raises(HostError, match="is in the way: the source has") as refused:
        assets.observe(machine.host)

    assert f"{copied}/{named} is not as reconcile copied it" == refused.value.why
    assert before == machine.manifest()


def test_with_prune_whatever_the_source_does_not_have_goes(
    machine: Machine, assets: Assets, copied: Path
) -> None:
    (copied / "docs/more.html").write_text("by hand")
    os.symlink("/etc/passwd", copied / "docs/link")

    apply(machine, replace(assets, prune=True))

    assert ["app", "app/deep", "app/deep/main.js", "docs"] == names(copied)


def test_nothing_is_cleared_around_a_mount(
    machine: Machine, assets: Assets, copied: Path, tmp_path: Path
) -> None:
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads/photo.jpg").write_text("a photo")
    target = copied / "docs/intro"
    subprocess.run(["mount", "--bind", tmp_path / "uploads", target], check=True)
    try:
        with pytest.raises(HostError, match="is in the way") as refused:
            replace(assets, prune=True).observe(machine.host)
    finally:
        subprocess.run(["umount", target], check=True)

    assert f"{target} cannot be cleared: it is on another filesystem" == refused.value.why


@pytest.mark.parametrize("prune", [False, True])
def test_what_another_resource_manages_there_stays(
    prune: bool, machine: Machine, assets: Assets, copied: Path
) -> None:
    managed = f"{copied}/docs/intro"
    wanted = replace(assets, prune=prune, except_=(managed,))

    with pytest.raises(HostError, match="is in the way") as refused:
        wanted.observe(machine.host)

    assert f"{managed} is declared by itself" == refused.value.why
