"""Every change is whole, exact in owner and mode, and can be taken back exactly."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from reconcile.filesystem.host_error import HostError
from reconcile.system import Host
from tests.filesystem.crash import Journal, dies_at, recorded_in
from tests.support.disk import picture
from tests.support.recorder import MemoryRecorder

pytestmark = pytest.mark.process

WEB = 33
THEN = 1_000_000_000_123_456_789

Effect = Callable[[Host, Path], None]

EFFECTS: dict[str, Effect] = {
    "a new file": lambda h, s: h.files.write(f"{s}/new", b"1", uid=WEB, gid=WEB, mode=0o640),
    "a changed file": lambda h, s: h.files.write(f"{s}/file", b"2", uid=0, gid=0, mode=0o600),
    "a file over a symlink": lambda h, s: h.files.write(
        f"{s}/link", b"3", uid=0, gid=0, mode=0o600
    ),
    "a new symlink": lambda h, s: h.files.symlink(f"{s}/newlink", "file"),
    "a changed symlink": lambda h, s: h.files.symlink(f"{s}/link", "elsewhere"),
    "a removed file": lambda h, s: h.files.unlink(f"{s}/file"),
    "a removed symlink": lambda h, s: h.files.unlink(f"{s}/link"),
    "a new directory": lambda h, s: h.files.mkdir(f"{s}/newdir", uid=WEB, gid=WEB, mode=0o2775),
    "a removed directory": lambda h, s: _remove_directory(h, s),
    "another owner": lambda h, s: h.files.set_permissions(f"{s}/file", uid=0, gid=0, mode=0o644),
    "another mode with a mask": lambda h, s: h.files.set_permissions(
        f"{s}/acl", uid=0, gid=0, mode=0o600
    ),
    "another owner of a program with capabilities": lambda h, s: h.files.set_permissions(
        f"{s}/capable", uid=WEB, gid=WEB, mode=0o755
    ),
}


def _remove_directory(host: Host, site: Path) -> None:
    assert host.files.rmdir(f"{site}/dir")


@pytest.fixture
def full(site: Path) -> Path:
    """A folder with one of each, all of an old time."""
    for name in ("file", "acl", "capable"):
        (site / name).write_text(f"old {name}")
    os.chown(site / "file", WEB, WEB)
    (site / "file").chmod(0o4750)
    os.setxattr(site / "file", "user.note", b"kept")
    subprocess.run(["setfacl", "-m", "u:nobody:rw", site / "acl"], check=True)
    # cap_net_bind_service=ep. Source: linux/capability.h, vfs_cap_data revision 2.
    capable = bytes.fromhex("0100000200040000000000000000000000000000")
    os.setxattr(site / "capable", "security.capability", capable)
    (site / "dir").mkdir(mode=0o711)
    (site / "link").symlink_to("file")
    for path in site.iterdir():
        os.utime(path, ns=(THEN, THEN), follow_symlinks=False)
    return site


@pytest.mark.parametrize("effect", EFFECTS.values(), ids=EFFECTS.keys())
class TestEveryEffect:
    def test_is_undone_exactly(
        self, host: Host, recorder: MemoryRecorder, full: Path, effect: Effect
    ) -> None:
        before = picture(full)

        effect(host, full)
        assert before != picture(full)
        notes = recorder.take_back(host)

        assert before == picture(full)
        assert [] == notes
        assert [] == os.listdir(recorder.keep_dir)

    def test_is_undone_twice_with_the_same_result(
        self, host: Host, recorder: MemoryRecorder, full: Path, effect: Effect
    ) -> None:
        before = picture(full)

        effect(host, full)
        recorder.take_back(host)
        recorder.take_back(host)

        assert before == picture(full)

    def test_that_dies_anywhere_is_undone_exactly(
        self, host: Host, full: Path, tmp_path: Path, effect: Effect
    ) -> None:
        before = picture(full)
        host.state.make_directory("journal/7-test/keep")
        step, died = 0, True

        while died:
            step += 1
            log = tmp_path / f"log{step}"
            log.touch()
            died = dies_at(step, lambda log=log: effect(recorded_in(log, host), full))
            Journal(log, host).take_back(host)
            assert before == picture(full), f"killed at its {step}. change of the disk"
            assert [] == os.listdir(host.state.path_of("journal/7-test/keep"))

        assert step > 1

    def test_whose_undo_dies_anywhere_is_undone_exactly_by_the_next(
        self, host: Host, full: Path, tmp_path: Path, effect: Effect
    ) -> None:
        before = picture(full)
        host.state.make_directory("journal/7-test/keep")
        step, died = 0, True

        while died:
            step += 1
            journal = Journal(tmp_path / f"log{step}", host)
            effect(recorded_in(journal.log, host), full)
            died = dies_at(step, lambda journal=journal: journal.take_back(host))
            journal.take_back(host)
            assert before == picture(full), f"killed at the {step}. change of its undo"

        assert step > 1

    def test_leaves_nothing_behind_once_its_undo_is_forgotten(
        self, host: Host, recorder: MemoryRecorder, full: Path, effect: Effect
    ) -> None:
        effect(host, full)
        after = picture(full)
        recorder.forget(host)

        assert after == picture(full)
        assert [] == os.listdir(recorder.keep_dir)
        assert [] == [name for name in os.listdir(full) if "reconcile" in name]


def test_owner_and_mode_are_exact_whatever_the_umask(host: Host, site: Path) -> None:
    old = os.umask(0o077)
    try:
        host.files.write(f"{site}/f", b"", uid=WEB, gid=0, mode=0o4755)
        host.files.mkdir(f"{site}/d", uid=0, gid=WEB, mode=0o2775)
    finally:
        os.umask(old)

    file, folder = (site / "f").stat(), (site / "d").stat()
    assert (WEB, 0, 0o4755) == (file.st_uid, file.st_gid, stat.S_IMODE(file.st_mode))
    assert (0, WEB, 0o2775) == (folder.st_uid, folder.st_gid, stat.S_IMODE(folder.st_mode))


def test_new_content_keeps_attributes_and_access_lists_but_not_capabilities(
    host: Host, full: Path
) -> None:
    for name in ("file", "acl", "capable"):
        host.files.write(f"{full}/{name}", b"new", uid=0, gid=0, mode=0o660)

    assert b"kept" == os.getxattr(full / "file", "user.note")
    told = subprocess.run(["getfacl", "-cp", full / "acl"], capture_output=True, text=True)
    assert "user:nobody:rw-" in told.stdout
    assert [] == os.listxattr(full / "capable")


def test_a_change_of_owner_keeps_the_capabilities_of_a_program(host: Host, full: Path) -> None:
    before = os.getxattr(full / "capable", "security.capability")

    host.files.set_permissions(f"{full}/capable", uid=WEB, gid=WEB, mode=0o750)

    assert before == os.getxattr(full / "capable", "security.capability")


def test_a_file_that_was_changed_since_is_not_restored(
    host: Host, recorder: MemoryRecorder, full: Path
) -> None:
    host.files.write(f"{full}/file", b"ours", uid=0, gid=0, mode=0o644)
    (full / "file").write_text("a visitor's")

    notes = recorder.take_back(host)

    assert "a visitor's" == (full / "file").read_text()
    assert [f"{full}/file has been changed since"] == [note.split(",")[0] for note in notes]
    assert 1 == len(os.listdir(recorder.keep_dir)), "the version before ours is still kept"


def test_a_directory_with_something_in_it_is_neither_removed_nor_restored(
    host: Host, recorder: MemoryRecorder, site: Path
) -> None:
    host.files.mkdir(f"{site}/d", uid=0, gid=0, mode=0o755)
    (site / "d/theirs").touch()

    assert not host.files.rmdir(f"{site}/d")
    assert [f"{site}/d is not empty, so it was kept"] == recorder.take_back(host)
    assert (site / "d/theirs").exists()


def test_on_another_filesystem_the_old_file_is_kept_beside(
    host: Host, recorder: MemoryRecorder
) -> None:
    made = subprocess.run(["mktemp", "-d", "/dev/shm/tXXXXXX"], capture_output=True, text=True)
    folder = Path(made.stdout.strip())
    try:
        (folder / "f").write_text("old")
        before = picture(folder)
        host.files.write(f"{folder}/f", b"new", uid=0, gid=0, mode=0o644)

        assert [] == os.listdir(recorder.keep_dir)
        assert ["f"] == host.files.listdir(str(folder)), "our own helpers are not listed"
        assert 2 == len(os.listdir(folder))
        recorder.take_back(host)
        assert before == picture(folder)
    finally:
        subprocess.run(["rm", "-r", folder], check=True)


class TestWhatTheKernelRefuses:
    """Told in plain words, and nothing is left behind."""

    def test_an_immutable_file_is_named_as_the_cause(self, host: Host, full: Path) -> None:
        subprocess.run(["chattr", "+i", full / "file"], check=True)
        try:
            with pytest.raises(HostError) as refused:
                host.files.set_permissions(f"{full}/file", uid=0, gid=0, mode=0o600)
        finally:
            subprocess.run(["chattr", "-i", full / "file"], check=True)

        assert f"{full}/file is immutable, even for root (chattr +i)" == refused.value.why
        assert f"Unless this is intended: chattr -i {full}/file" == refused.value.fix

    def test_an_immutable_directory_too(self, host: Host, full: Path) -> None:
        subprocess.run(["chattr", "+i", full], check=True)
        try:
            with pytest.raises(HostError) as refused:
                host.files.write(f"{full}/file", b"", uid=0, gid=0, mode=0o600)
        finally:
            subprocess.run(["chattr", "-i", full], check=True)

        assert f"{full} is immutable, even for root (chattr +i)" == refused.value.why

    def test_a_full_disk_leaves_the_old_file_and_no_temporary(
        self, host: Host, recorder: MemoryRecorder, site: Path
    ) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", site], check=True)
        try:
            (site / "f").write_text("old")
            before = picture(site)
            with pytest.raises(HostError) as refused:
                host.files.write(f"{site}/f", bytes(100_000), uid=0, gid=0, mode=0o644)
            recorder.take_back(host)
            assert before == picture(site)
        finally:
            subprocess.run(["umount", site], check=True)

        assert "no space or no inodes are left on the filesystem" == refused.value.why

    def test_a_read_only_filesystem(self, host: Host, site: Path) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", site], check=True)
        try:
            with pytest.raises(HostError) as refused:
                host.files.mkdir(f"{site}/d", uid=0, gid=0, mode=0o755)
        finally:
            subprocess.run(["umount", site], check=True)

        assert "the filesystem is mounted read-only" == refused.value.why

    def test_a_file_where_a_directory_is(self, host: Host, full: Path) -> None:
        with pytest.raises(HostError) as refused:
            host.files.write(f"{full}/dir", b"", uid=0, gid=0, mode=0o644)

        assert "it is a directory" == refused.value.why

    def test_a_pipe_is_not_read(self, host: Host, site: Path) -> None:
        os.mkfifo(site / "pipe")

        with pytest.raises(HostError) as refused:
            host.files.read(f"{site}/pipe")

        assert "it is neither a file nor a directory" == refused.value.why

    def test_a_file_too_large_to_be_configuration(self, host: Host, site: Path) -> None:
        (site / "f").write_bytes(bytes(11))

        with pytest.raises(HostError, match="cannot be read"):
            host.files.read(f"{site}/f", limit=10)


class TestWhereSomeoneElseMayWrite:
    @pytest.fixture
    def media(self, site: Path) -> Path:
        media = site / "media"
        media.mkdir()
        os.chown(media, WEB, WEB)
        return media

    def test_roots_file_is_never_given_away(self, host: Host, media: Path) -> None:
        (media / "roots").write_text("secret")
        before = picture(media)

        with pytest.raises(HostError) as refused:
            host.files.set_permissions(f"{media}/roots", uid=WEB, gid=WEB, mode=0o644)

        assert before == picture(media)
        assert "somebody else may have linked or moved it there" in refused.value.why

    def test_their_own_file_is_put_right(self, host: Host, media: Path) -> None:
        (media / "theirs").touch(mode=0o600)
        os.chown(media / "theirs", WEB, 0)

        host.files.set_permissions(f"{media}/theirs", uid=WEB, gid=WEB, mode=0o644)

        found = (media / "theirs").stat()
        assert (WEB, 0o644) == (found.st_gid, stat.S_IMODE(found.st_mode))

    def test_a_symlink_is_not_followed_to_what_it_points_to(
        self, host: Host, media: Path, tmp_path: Path
    ) -> None:
        outside = tmp_path / "outside"
        outside.write_text("x")
        (media / "link").symlink_to(outside)
        before = picture(tmp_path)

        with pytest.raises(HostError):
            host.files.set_permissions(f"{media}/link", uid=WEB, gid=WEB, mode=0o666)

        assert before == picture(tmp_path)

    def test_the_media_root_itself_under_safe_parents_is_put_right(
        self, host: Host, media: Path
    ) -> None:
        os.chown(media, 0, 0)

        host.files.set_permissions(str(media), uid=WEB, gid=WEB, mode=0o755)

        assert WEB == media.stat().st_uid


def test_a_link_belongs_to_who_makes_it_below_setgid_too(host: Host, site: Path) -> None:
    os.chown(site, 0, WEB)
    site.chmod(0o2755)

    host.files.symlink(f"{site}/link", "file")

    assert (0, 0) == ((site / "link").lstat().st_uid, (site / "link").lstat().st_gid)
