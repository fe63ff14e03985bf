"""Where the one file unpacks itself: the folder decides what root runs."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.needs_root import needs_root

pytestmark = pytest.mark.process

MAIN = Path(__file__).parents[2] / ".packaging/archive_main.py"
# What shiv's own bootstrap does, in short: what is unpacked already is what runs.
BOOTSTRAP = """
import os, sys, zipfile
def bootstrap():
    build = "{build}"
    target = os.path.join(os.environ["SHIV_ROOT"], "tool.pyz_" + build)
    if not os.path.exists(target):
        os.mkdir(target)
        open(os.path.join(target, "program"), "w").write("ours")
    print(open(os.path.join(target, "program")).read())
"""


def an_archive(folder: Path, build: str) -> Path:
    archive = folder / "tool.pyz"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(MAIN, "__main__.py")
        packed.writestr("_bootstrap/__init__.py", BOOTSTRAP.format(build=build))
        packed.writestr("environment.json", json.dumps({"build_id": build}))
    return archive


def run(archive: Path, root: Path, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", archive]
    environment = {"SHIV_ROOT": str(root)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, umask=umask)


def test_a_new_folder_is_its_users_alone_whatever_the_umask(tmp_path: Path) -> None:
    root = tmp_path / "state/program"

    done = run(an_archive(tmp_path, "1"), root, umask=0)

    assert ("ours\n", "") == (done.stdout, done.stderr)
    assert 0o40700 == root.stat().st_mode == root.parent.stat().st_mode


@pytest.mark.parametrize("shared", ["", "program"], ids=["above", "itself"])
@pytest.mark.parametrize("mode", [0o777, 0o775], ids=["everyone", "group"])
def test_a_folder_in_which_others_can_plant_code_is_refused(
    tmp_path: Path, shared: str, mode: int
) -> None:
    root = tmp_path / "state/program"
    planted = root / "tool.pyz_1/program"
    planted.parent.mkdir(parents=True)
    planted.write_text("planted")
    (root.parent / shared).chmod(mode)

    done = run(an_archive(tmp_path, "1"), root)

    assert (1, "") == (done.returncode, done.stdout)
    assert f"reconcile: {root.parent / shared} can be changed by other users" in done.stderr


def test_a_sticky_folder_is_a_safe_parent_but_no_safe_place(tmp_path: Path) -> None:
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)

    below, itself = (run(an_archive(tmp_path, "1"), root) for root in (shared / "own", shared))

    assert ("ours\n", 1) == (below.stdout, itself.returncode)


@needs_root("can give files to another user")
def test_another_users_folder_or_link_is_refused(tmp_path: Path) -> None:
    nobody = 65534
    theirs, link = tmp_path / "theirs", tmp_path / "link"
    theirs.mkdir()
    (tmp_path / "own").mkdir()
    link.symlink_to("own")
    os.chown(theirs, nobody, nobody)
    os.lchown(link, nobody, nobody)

    refused = [run(an_archive(tmp_path, "1"), root) for root in (theirs, link, link / "below")]

    assert [1, 1, 1] == [done.returncode for done in refused]


def test_versions_that_are_not_in_use_are_removed_when_a_new_one_is_unpacked(
    tmp_path: Path,
) -> None:
    root = tmp_path / "program"
    for build in ("1", "2"):
        run(an_archive(tmp_path, build), root)
    with (root / "tool.pyz_2.used").open() as user:
        fcntl.flock(user, fcntl.LOCK_SH)
        run(an_archive(tmp_path, "3"), root)

    assert ["tool.pyz_2", "tool.pyz_3"] == sorted(
        path.name for path in root.iterdir() if path.is_dir()
    )
