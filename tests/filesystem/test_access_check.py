"""Who may pass and read: our evaluation against the kernel's own decision."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from reconcile.filesystem.access_check import EXECUTE, READ, WRITE
from reconcile.system import Host

pytestmark = pytest.mark.process

ACCESS_LISTS = (
    None,
    "u:nobody:r-x",
    "u:nobody:---",
    "g:games:rwx",
    "g:nogroup:-w-,g:games:r--",
    "u:www-data:rwx,m::r--",
    "g:www-data:r-x,g:games:-wx",
)
MODES = (0o000, 0o111, 0o640, 0o705, 0o077)
OWNERS = ((0, 0), (33, 5), (65534, 33), (5, 65534))
USERS = ("www-data", "nobody", "games", "root")


WANTS = (EXECUTE, READ, WRITE)


def kernel_allows(user: str, path: Path) -> list[bool]:
    """For each of `WANTS`, asked by access(2) in a process of that user."""
    child = os.fork()
    if child == 0:
        try:
            account = pwd.getpwnam(user)
            os.initgroups(user, account.pw_gid)
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
            os._exit(sum(want for want in WANTS if os.access(path, want)))
        finally:
            os._exit(9)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status < 8
    return [bool(status & want) for want in WANTS]


@pytest.mark.parametrize("kind", ["file", "directory"])
@pytest.mark.parametrize("acl", ACCESS_LISTS)
def test_every_user_may_do_what_the_kernel_lets_them(
    host: Host, public: Path, kind: str, acl: str | None
) -> None:
    path = public / "it"
    path.touch() if kind == "file" else path.mkdir()
    expected, actual = {}, {}
    for (uid, gid), mode in product(OWNERS, MODES):
        subprocess.run(["setfacl", "-b", path], check=True)
        os.chown(path, uid, gid)
        path.chmod(mode)
        if acl:
            subprocess.run(["setfacl", "-m", acl, path], check=True)
        for user in USERS:
            account = host.accounts.user(user)
            case = (uid, gid, f"{mode:04o}", user)
            expected[case] = kernel_allows(user, path)
            actual[case] = [host.files.may_access(str(path), [account], want)[0] for want in WANTS]

    assert expected == actual


class TestTheWay:
    def test_the_first_closed_directory_is_named(self, host: Host, public: Path) -> None:
        (public / "a/b/c").mkdir(parents=True)
        (public / "a/b").chmod(0o750)

        walk = host.files.access(f"{public}/a/b/c", host.accounts.user("www-data"))

        assert walk.blocked is not None
        assert f"{public}/a/b" == walk.blocked.path
        assert not walk.can_enter

    def test_an_open_way_to_a_file_that_may_be_read(self, host: Host, public: Path) -> None:
        (public / "file").touch(mode=0o644)

        walk = host.files.access(f"{public}/file", host.accounts.user("nobody"))

        assert walk.can_read
        assert ["/", "/tmp"] == [step.path for step in walk.steps][:2]

    def test_what_is_absent_ends_the_way(self, host: Host, public: Path) -> None:
        walk = host.files.access(f"{public}/no/file", host.accounts.user("nobody"))

        assert None is walk.last
        assert not walk.can_read
        assert str(public) == walk.steps[-1].path

    def test_a_link_is_followed_through_every_component_that_it_leads_to(
        self, host: Host, public: Path
    ) -> None:
        (public / "closed/in").mkdir(parents=True)
        (public / "closed/in/file").touch(mode=0o644)
        (public / "closed").chmod(0o700)
        (public / "current").symlink_to("closed/../closed/in")

        walk = host.files.access(f"{public}/current/file", host.accounts.user("www-data"))

        assert walk.blocked is not None
        assert f"{public}/closed" == walk.blocked.path
        assert not walk.can_read

    def test_a_link_that_another_user_may_move_is_checked_all_the_same(
        self, host: Host, public: Path
    ) -> None:
        public.chmod(0o777)
        (public / "file").touch(mode=0o644)
        (public / "link").symlink_to(public / "file")

        assert host.files.access(f"{public}/link", host.accounts.user("nobody")).can_read

    def test_links_in_a_circle_lead_nowhere(self, host: Host, public: Path) -> None:
        (public / "a").symlink_to("b")
        (public / "b").symlink_to("a")

        walk = host.files.access(f"{public}/a", host.accounts.user("nobody"))

        assert (True, None) == (walk.is_loop, walk.last)

    def test_a_name_that_is_too_long_is_missing(self, host: Host, public: Path) -> None:
        walk = host.files.access(f"{public}/{'a' * 300}/b", host.accounts.user("nobody"))

        assert (False, None) == (walk.is_loop, walk.last)

    def test_without_its_capabilities_root_is_bound_by_modes(
        self, host: Host, public: Path
    ) -> None:
        (public / "closed").mkdir(mode=0o700)
        os.chown(public / "closed", 5, 5)
        bare = replace(host.accounts.user("root"), capabilities=0)
        reader = replace(bare, capabilities=1 << 2)

        assert [False, True] == [
            host.files.access(f"{public}/closed", account).can_enter for account in (bare, reader)
        ]

    def test_the_acl_of_a_component_is_reported(self, host: Host, public: Path) -> None:
        subprocess.run(["setfacl", "-m", "u:games:--x", public], check=True)

        walk = host.files.access(str(public), host.accounts.user("games"))

        assert walk.last is not None
        assert host.accounts.user("games").uid in [line.id for line in walk.last.acl]
