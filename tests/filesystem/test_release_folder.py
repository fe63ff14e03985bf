"""The folder of a release: filled from a source, worked in by the app's user, then root's."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from reconcile.filesystem.host_error import ChangedSincePlan, HostError
from reconcile.filesystem.release.folder import INCOMPLETE, fill, is_complete, remove, seal
from reconcile.filesystem.release.listing import ReleaseListing, content_digest, list_source
from tests.faults.killing import killed_at

pytestmark = pytest.mark.process

APP = 33
"""www-data, which the steps run as."""


def source(folder: Path) -> Path:
    for path in ("app.py", "pkg/mod.py", "static/app.css", "manage.py", ".flaskenv"):
        file = folder / "source" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
    (folder / "source/manage.py").chmod(0o755)
    return folder / "source"


def listed(folder: Path, *excluded: str) -> ReleaseListing:
    return list_source(str(folder), excluded)


def paths(folder: Path, *excluded: str) -> list[str]:
    return [file.path for file in listed(folder, *excluded).files]


def made(site: Path, release: Path) -> Path:
    fill(str(release), listed(source(site)), APP, APP)
    return release


def test_a_source_that_is_a_release_itself_becomes_one(site: Path) -> None:
    folder = source(site)
    (folder / INCOMPLETE).write_text("")
    (folder / "pkg" / INCOMPLETE).write_text("the app's own")
    release = site / "release"

    fill(str(release), listed(folder), APP, APP)
    seal(str(release), APP, APP)

    assert is_complete(str(release), os.geteuid())
    assert (release / "pkg" / INCOMPLETE).exists()


def test_a_release_in_which_something_is_mounted_is_not_removed(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = made(site, site / "release")
    monkeypatch.setattr("reconcile.filesystem.release.folder.mount_points", lambda _: ("media",))

    with pytest.raises(HostError, match="cannot be removed") as refused:
        remove(str(release))

    assert f"{release}/media is a mount" == refused.value.why
    assert (release / "app.py").exists()


def test_what_belongs_to_no_version_is_left_out(site: Path) -> None:
    folder = source(site)
    for path in (
        *(".git/config", ".venv/bin/python", "__pycache__/app.pyc", "node_modules/a.js"),
        *("db.sqlite3", "env/pyvenv.cfg", "env/lib.py", "media/a.jpg", "docs/index.md"),
        "pkg/media/logo.png",
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("x")

    found = paths(folder, "docs", "/media")

    expected = {".flaskenv", "app.py", "manage.py", "pkg/mod.py", "static/app.css"}
    assert expected | {"pkg/media/logo.png"} == {*found}


def test_a_package_that_is_called_like_a_folder_of_data_is_code(site: Path) -> None:
    folder = source(site)
    (folder / "data").mkdir()
    (folder / "data/rows.csv").write_text("1")

    assert "pkg/mod.py" in paths(folder, "/pkg/", "/data/")
    assert "data/rows.csv" not in paths(folder, "/pkg/", "/data/")


def test_a_link_is_followed_inside_of_the_source_only(site: Path) -> None:
    folder = source(site)
    (site / "secret").write_text("secret")
    (folder / "inside.py").symlink_to("app.py")
    (folder / "outside.py").symlink_to("../secret")
    (folder / "pkg/loop").symlink_to("..")

    found = listed(folder)

    assert {"inside.py", "app.py"} <= {file.path for file in found.files}
    assert "outside.py" not in {file.path for file in found.files}
    assert ["outside.py"] == found.not_copied.outside.paths[:1]


def test_the_digest_changes_with_a_content_a_name_or_a_program_bit(site: Path) -> None:
    folder = source(site)
    digests = [content_digest(listed(folder))]
    changes = (
        lambda: (folder / "app.py").write_text("new"),
        lambda: (folder / "app.py").rename(folder / "app2.py"),
        lambda: (folder / "app2.py").chmod(0o755),
    )
    for change in changes:
        change()
        digests.append(content_digest(listed(folder)))

    assert len(digests) == len({*digests})


@pytest.mark.parametrize("content", ["#!/bin/sh\necho hello\n", "\x7fELF…"])
def test_a_program_can_be_run_also_where_its_source_has_lost_the_modes(
    site: Path, content: str
) -> None:
    folder = source(site)
    tool = folder / "bin/tool"
    tool.parent.mkdir()
    tool.write_text(content)
    tool.chmod(0o644)
    without = content_digest(listed(folder))

    fill(str(site / "release"), listed(folder), APP, APP)
    tool.chmod(0o755)

    modes = [(site / "release" / name).stat().st_mode & 0o777 for name in ("bin/tool", "app.py")]
    assert [0o755, 0o644] == modes
    assert without == content_digest(listed(folder))


def test_a_new_time_changes_no_digest(site: Path) -> None:
    folder = source(site)
    before = content_digest(listed(folder))
    os.utime(folder / "app.py", (1, 1))

    assert before == content_digest(listed(folder))


def test_it_is_the_apps_while_its_steps_run_and_incomplete(site: Path) -> None:
    release = made(site, site / "release")

    assert APP == release.stat().st_uid == (release / "pkg/mod.py").stat().st_uid
    assert 0 == (release / INCOMPLETE).stat().st_uid
    assert not is_complete(str(release), 0)
    assert 0o755 == stat.S_IMODE((release / "manage.py").stat().st_mode) | 0o001


def test_it_is_roots_and_readable_for_the_app_once_it_is_sealed(site: Path) -> None:
    release = made(site, site / "release")
    (release / "made").write_text("by a step")
    os.chown(release / "made", APP, APP)
    (release / "made").chmod(0o600)
    (release / "setuid").write_text("x")
    (release / "setuid").chmod(0o4777)
    (release / "link").symlink_to("/etc/passwd")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(release / "socket"))

    seal(str(release), APP, APP)

    assert is_complete(str(release), 0)
    found = [*release.rglob("*"), release]
    assert {0} == {path.lstat().st_uid for path in found}
    assert not any(path.lstat().st_mode & 0o022 for path in found if not path.is_symlink())
    assert 0o640 == stat.S_IMODE((release / "made").stat().st_mode)
    assert 0o755 == stat.S_IMODE((release / "setuid").stat().st_mode)
    assert not (release / "socket").exists()
    assert 0 == Path("/etc/passwd").stat().st_uid


def test_a_file_with_a_name_elsewhere_becomes_one_of_its_own(site: Path) -> None:
    release = made(site, site / "release")
    cached = site / "cached.py"
    cached.write_text("cached")
    os.chown(cached, APP, APP)
    os.link(cached, release / "linked.py")

    seal(str(release), APP, APP)

    assert (APP, 1) == (cached.stat().st_uid, cached.stat().st_nlink)
    assert ("cached", 0) == (
        (release / "linked.py").read_text(),
        (release / "linked.py").stat().st_uid,
    )


def test_another_users_file_is_never_taken_into_it(site: Path) -> None:
    release = made(site, site / "release")
    theirs = site / "theirs"
    theirs.write_text("private")
    os.chown(theirs, 1, 1)
    os.link(theirs, release / "linked")

    with pytest.raises(HostError, match="hard link to a file of another user"):
        seal(str(release), APP, APP)

    assert not is_complete(str(release), 0)
    assert 1 == theirs.stat().st_uid


def test_a_source_that_changes_meanwhile_is_not_copied(site: Path) -> None:
    found = listed(source(site))
    (site / "source/app.py").write_text("another")

    with pytest.raises(ChangedSincePlan):
        fill(str(site / "release"), found, APP, APP)

    assert not is_complete(str(site / "release"), 0)


def test_what_is_half_made_is_made_anew(site: Path) -> None:
    release = made(site, site / "release")
    (release / "left").write_text("by a killed step")

    made(site, release)

    assert not (release / "left").exists()


def test_what_is_killed_before_it_has_a_name_in_it_is_incomplete(site: Path) -> None:
    for number in range(12):
        killed_at(number, lambda: made(site, site / "release"))

        assert not is_complete(str(site / "release"), 0), f"killed at effect {number}"


def test_what_is_half_removed_is_incomplete(site: Path) -> None:
    for number in range(9):
        release = made(site, site / f"release{number}")
        seal(str(release), APP, APP)
        if killed_at(number, lambda at=release: remove(str(at))) and number:  # type: ignore[misc]
            assert not is_complete(str(release), 0), f"killed at effect {number}"


def test_removing_it_follows_no_link(site: Path) -> None:
    release = made(site, site / "release")
    (site / "kept").mkdir()
    (site / "kept/file").write_text("kept")
    (release / "link").symlink_to(site / "kept")

    remove(str(release))

    assert not release.exists()
    assert "kept" == (site / "kept/file").read_text()


def test_a_private_file_stays_private(site: Path) -> None:
    folder = source(site)
    (folder / ".env").write_text("KEY=1")
    (folder / ".env").chmod(0o600)

    fill(str(site / "release"), listed(folder), APP, APP)
    seal(str(site / "release"), APP, APP)

    found = (site / "release/.env").stat()
    assert (0, APP, 0o640) == (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))
