"""Which symlinks are followed, and which are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconcile.filesystem.host_error import HostError
from reconcile.system import Host

pytestmark = pytest.mark.process

WEB = 33


@pytest.fixture
def media(site: Path) -> Path:
    """A directory that the web process may write."""
    media = site / "media"
    media.mkdir()
    os.chown(media, WEB, WEB)
    return media


def test_a_symlink_that_only_root_can_have_made_is_followed(host: Host, site: Path) -> None:
    (site / "real").mkdir()
    (site / "real/file").write_text("here")
    (site / "link").symlink_to("real")

    assert b"here" == host.files.read(f"{site}/link/file")


def test_a_symlink_where_someone_else_may_write_is_not_followed(host: Host, media: Path) -> None:
    (media / "link").symlink_to("/etc")

    with pytest.raises(HostError) as refused:
        host.files.read(f"{media}/link/hostname")

    assert "link is a symlink in a directory that others can write" == refused.value.why


def test_below_someone_elses_directory_even_roots_own_symlink_is_not_followed(
    host: Host, media: Path
) -> None:
    (media / "kept").mkdir()
    (media / "kept/link").symlink_to("/etc")

    with pytest.raises(HostError):
        host.files.read(f"{media}/kept/link/hostname")


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
def test_a_directory_that_others_may_write_is_someone_elses(
    host: Host, site: Path, mode: int
) -> None:
    (site / "link").symlink_to("/etc")
    site.chmod(mode)

    with pytest.raises(HostError):
        host.files.read(f"{site}/link/hostname")


def test_an_own_directory_in_a_sticky_one_is_safe(host: Host, site: Path) -> None:
    ours = site / "ours"
    ours.mkdir()
    (ours / "link").symlink_to("/etc/hostname")
    site.chmod(0o1777)

    assert host.files.read(f"{ours}/link") == Path("/etc/hostname").read_bytes()


def test_a_symlink_to_the_outside_is_no_way_up(host: Host, media: Path) -> None:
    with pytest.raises(HostError) as refused:
        host.files.stat(f"{media}/../../secret")

    assert ".." in refused.value.why


def test_symlinks_in_a_circle_are_an_error_not_a_loop(host: Host, site: Path) -> None:
    (site / "a").symlink_to("b")
    (site / "b").symlink_to("a")

    with pytest.raises(HostError) as refused:
        host.files.read(f"{site}/a")

    assert "loop" in refused.value.why


def test_dots_and_doubled_slashes_change_nothing(host: Host, site: Path) -> None:
    (site / "a").mkdir()
    (site / "a/file").write_text("x")

    assert b"x" == host.files.read(f"//{site}/./a/../a//file")


def test_a_relative_path_is_refused(host: Host) -> None:
    with pytest.raises(HostError, match="cannot be examined"):
        host.files.stat("etc/hostname")


def test_an_absent_path_is_no_error(host: Host, site: Path) -> None:
    (site / "file").touch()

    assert None is host.files.stat(f"{site}/nothing/at/all")
    assert None is host.files.stat(f"{site}/file/below")
    assert None is host.files.content(f"{site}/nothing")


def test_the_root_itself_can_be_asked_about(host: Host) -> None:
    found = host.files.stat("/")

    assert found is not None
    assert "directory" == found.kind
