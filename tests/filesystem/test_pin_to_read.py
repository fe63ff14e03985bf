"""Paths that are only read: the kernel's own walk finds what the walk by components finds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconcile.errors import ReconcileError
from reconcile.filesystem import pin_to_read
from reconcile.system import Host

NOBODY = 65534
ODD = (
    "",
    "/",
    "/.",
    "//",
    "/file",
    "//file",
    "/./file",
    "/file/",
    "/file/below",
    "/folder",
    "/folder/",
    "/folder/.",
    "/folder/..",
    "/folder/../file",
    "/absent",
    "/absent/below",
    "/link",
    "/link/",
    "/link/name",
    "/dangling",
    "/dangling/below",
    "/loop",
    "/theirs/link",
    "/theirs/link/name",
    "/theirs/file",
    "/theirs/../file",
    "/" + "n" * 255,
    "/" + "n" * 256,
    "/with\0nul",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with files, links, and a folder that somebody else may write."""
    for folder in ("folder", "theirs"):
        (tmp_path / folder).mkdir()
    for file in ("file", "folder/name", "theirs/file"):
        (tmp_path / file).write_text(file)
    for link, target in (("link", "folder"), ("dangling", "nowhere"), ("loop", "loop")):
        (tmp_path / link).symlink_to(target)
    (tmp_path / "theirs/link").symlink_to("../folder")
    if os.geteuid() == 0:
        os.chown(tmp_path / "theirs", NOBODY, NOBODY)
    return tmp_path


def outcomes(host: Host, path: str) -> list[object]:
    """What each way of reading the path returns, or raises."""
    found: list[object] = []
    for read in (
        lambda: host.files.stat(path),
        lambda: host.files.stat(path, follow=True),
        lambda: host.files.read(path),
        lambda: host.files.readlink(path),
        lambda: host.files.listdir(path),
        lambda: host.files.identity(path),
    ):
        try:
            found.append(read())
        except ReconcileError as error:
            found.append(str(error))
    return found


@pytest.mark.parametrize("path", ODD)
def test_a_path_is_read_as_where_the_kernel_cannot_walk_it(
    root: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_kernel = outcomes(Host(), f"{root}{path}")
    monkeypatch.setattr(pin_to_read, "_pin_without_links", lambda _path: None)

    assert outcomes(Host(), f"{root}{path}") == by_kernel


@pytest.mark.parametrize("path", ["relative", ""])
def test_what_is_no_full_path_is_refused_either_way(path: str) -> None:
    assert "it is not an absolute path" in str(outcomes(Host(), path)[0])


def test_a_kernel_without_the_call_reads_all_the_same(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pin_to_read, "_OPENAT2", 100_000)

    assert b"file" == Host().files.read(f"{root}/file")


def test_a_path_without_links_is_walked_in_one_call(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walked: list[str] = []
    real = pin_to_read.pin_name

    def pin_name(path: str, *, follow: bool) -> object:
        """The walk by components, which is counted."""
        walked.append(path)
        return real(path, follow=follow)

    monkeypatch.setattr(pin_to_read, "pin_name", pin_name)
    Host().files.read(f"{root}/folder/name")
    Host().files.read(f"{root}/link/name")

    assert [f"{root}/link/name"] == walked
