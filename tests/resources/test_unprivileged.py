"""A user without any rights manages what is their own, as in the demo."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reconcile.engine.diff import differences
from reconcile.engine.resource import Resource
from reconcile.filesystem.host_error import HostError
from reconcile.resources.assets import Assets
from reconcile.resources.directory import Directory
from reconcile.resources.file import File
from reconcile.resources.symlink import Symlink
from reconcile.resources.tree import Tree
from reconcile.system import Host, HostSettings
from tests.support.completed import completed
from tests.support.disk import picture
from tests.support.recorder import recording

pytestmark = pytest.mark.process

WEB = 33
SET_DUMPABLE = 4
"""prctl(2): as after exec, /proc/self belongs to the user again."""


@pytest.fixture
def home(public: Path) -> Path:
    """A folder of the web user's, who may do nothing elsewhere."""
    home = public / "home"
    home.mkdir(mode=0o700)
    (home / "source").mkdir()
    (home / "source/app.css").write_text("body{}")
    (home / "media").mkdir()
    (home / "media/a.jpg").touch(mode=0o600)
    (home / "static").mkdir()
    for path in (home, *home.rglob("*")):
        os.chown(path, WEB, WEB)
    return home


def as_web_user(act: Callable[[], None]) -> None:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(WEB)
            os.setuid(WEB)
            ctypes.CDLL(None).prctl(SET_DUMPABLE, 1)
            act()
            status = 0
        finally:
            os._exit(status)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def host_of(home: Path) -> Host:
    return Host(HostSettings(service_manager="process", state_dir=f"{home}/state"))


@pytest.mark.parametrize(
    "make",
    [
        lambda home: Directory(path=f"{home}/new", mode=0o750),
        lambda home: Directory(path=f"{home}/media", mode=0o750, enterable_by=("www-data",)),
        lambda home: File(path=f"{home}/file", content=b"x"),
        lambda home: Symlink(path=f"{home}/link", target="x"),
        lambda home: Tree(path=f"{home}/media"),
        lambda home: Assets(path=f"{home}/static", source=f"{home}/source"),
    ],
    ids=["a new directory", "a directory's mode", "file", "symlink", "tree", "assets"],
)
def test_every_kind_is_applied_and_rolled_back(
    home: Path, make: Callable[[Path], Resource]
) -> None:
    wanted = make(home)

    def act() -> None:
        host = host_of(home)
        recorder = recording(host)
        os.makedirs(f"{home}/state/assets", exist_ok=True)
        before, pictured = wanted.observe(host), picture(home)
        assert () != differences(before, wanted)
        completed(wanted, before, host).apply(host, before)
        assert () == differences(wanted.observe(host), wanted)
        assert [] == recorder.take_back(host)
        assert pictured == picture(home)

    as_web_user(act)


def test_what_is_roots_is_refused_in_plain_words(home: Path) -> None:
    def act() -> None:
        with pytest.raises(HostError) as refused:
            host_of(home).files.write("/etc/reconcile-test", b"", uid=WEB, gid=WEB, mode=0o644)
        assert refused.value.why.startswith("permission denied")
        assert "Run it with sudo." == refused.value.fix

    as_web_user(act)


def test_no_other_user_can_become_the_owner(home: Path) -> None:
    def act() -> None:
        with pytest.raises(HostError) as refused:
            host_of(home).files.set_permissions(f"{home}/media", uid=0, gid=0, mode=0o755)
        assert "Run it as root; in a container, check its capabilities." == refused.value.fix

    as_web_user(act)
