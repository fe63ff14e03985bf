"""Packed files: plain files and folders below one root, private, gone with the command."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from reconcile.filesystem import private_folder, unpack
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.unpack import unpacked


@pytest.fixture(autouse=True)
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where private folders are made."""
    folder = tmp_path / "private"
    monkeypatch.setattr(private_folder, "OF_ROOT", str(folder))
    monkeypatch.setattr(private_folder, "_of_user", lambda: str(folder))
    return folder


DIR = tarfile.DIRTYPE


def member(
    name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = ""
) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.size, made.linkname = kind, size, link
    return made


def pack(path: Path, *members: tarfile.TarInfo, **files: bytes) -> str:
    with tarfile.open(path / "files.tar", "w") as archive:
        for one in members:
            archive.addfile(one, io.BytesIO(bytes(one.size)))
        for name, content in files.items():
            archive.addfile(member(name, size=len(content)), io.BytesIO(content))
    return str(path / "files.tar")


def test_files_are_unpacked_for_the_body_only(tmp_path: Path, parent: Path) -> None:
    tar = pack(tmp_path, member("./", DIR), member("app", DIR), member("app/x", size=3))

    with unpacked(tar) as files:
        content = Path(files.folder, "app/x").read_bytes()
        modes = [os.stat(path).st_mode & 0o777 for path in (parent, Path(files.folder, "app/x"))]

    assert b"\0\0\0" == content
    assert [0o700, 0o644] == modes
    assert not parent.exists()


@pytest.mark.parametrize(
    ("what", "members"),
    [
        ("absolute", [member("/etc/x")]),
        ("leads out", [member("a/../../x")]),
        ("a symlink", [member("a", tarfile.SYMTYPE, link="/etc/passwd")]),
        ("a hard link", [member("b"), member("a", tarfile.LNKTYPE, link="b")]),
        ("neither a file nor a folder", [member("a", tarfile.CHRTYPE)]),
        ("neither a file nor a folder", [member("a", tarfile.FIFOTYPE)]),
        ("neither a file nor a folder", [member("a", b"Z")]),
        ("sparse", [member("a", tarfile.GNUTYPE_SPARSE)]),
        ("twice", [member("a"), member("./a")]),
        ("twice", [member("a", tarfile.DIRTYPE), member("a/", tarfile.DIRTYPE)]),
        ("twice", [member("a/b"), member("a")]),
        ("a file and a folder", [member("a"), member("a/b")]),
        ("no name", [member("./")]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_anything_but_plain_files_below_the_root_is_refused(
    what: str, members: list[tarfile.TarInfo], tmp_path: Path, parent: Path
) -> None:
    with pytest.raises(HostError) as refused, unpacked(pack(tmp_path, *members)):
        pass

    assert what in str(refused.value)
    assert not parent.exists()


def test_the_number_of_entries_and_bytes_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tar = pack(tmp_path, a=b"1", b=b"2")
    for limit in ("MOST_ENTRIES", "MOST_BYTES"):
        with monkeypatch.context() as patch:
            patch.setattr(unpack, limit, 1)
            with pytest.raises(HostError), unpacked(tar):
                pass


@pytest.mark.parametrize("content", [b"", b"version: 1", b"\x1f\x8b\x08" + bytes(600)])
def test_what_is_no_archive_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "not.tar"
    path.write_bytes(content)

    with pytest.raises(HostError, match=r"not\.tar is not a plain tar"), unpacked(str(path)):
        pass


def test_an_archive_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    tar = Path(pack(tmp_path, a=bytes(5000)))
    tar.write_bytes(tar.read_bytes()[:2000])

    with pytest.raises(HostError), unpacked(str(tar)):
        pass


def test_the_digest_is_that_of_names_and_contents_alone(tmp_path: Path) -> None:
    def digest(*names: str, mode: int = 0o600, content: bytes = b"x") -> str:
        with tarfile.open(tmp_path / "t.tar", "w") as archive:
            for name in names:
                made = member(name, size=len(content))
                made.mode = mode
                archive.addfile(made, io.BytesIO(content))
        with unpacked(str(tmp_path / "t.tar")) as files:
            return files.digest

    same = {digest("a", "b/c"), digest("./b/c", "a", mode=0o777)}
    assert 1 == len(same)
    assert 3 == len({*same, digest("a", "b/d"), digest("a", "b/c", content=b"y")})


def test_commands_with_the_same_files_share_one_folder(tmp_path: Path, parent: Path) -> None:
    tar = pack(tmp_path, a=b"1")

    with unpacked(tar) as first:
        with unpacked(tar) as second:
            assert first.folder == second.folder
        assert b"1" == Path(first.folder, "a").read_bytes()

    assert not parent.exists()


def test_what_a_killed_command_left_is_removed_by_the_next_one(
    tmp_path: Path, parent: Path
) -> None:
    parent.mkdir(mode=0o700)
    (parent / "0123456789abcdef").mkdir()
    (parent / "0123456789abcdef.lock").touch()
    (parent / "old-x").mkdir()
    os.utime(parent / "old-x")

    with unpacked(pack(tmp_path, a=b"1")):
        left = {entry.name for entry in parent.iterdir()}

    assert "0123456789abcdef" not in left


def test_a_folder_that_others_may_enter_is_not_used(tmp_path: Path, parent: Path) -> None:
    parent.mkdir(mode=0o755)

    with pytest.raises(HostError, match="not a private folder"), unpacked(pack(tmp_path, a=b"1")):
        pass
