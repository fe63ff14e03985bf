"""What hangs on a file beside its owner and mode is kept, or the plan says what becomes of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconcile.engine.resource import Resource
from reconcile.resources.assets import Assets
from reconcile.resources.directory import Directory
from reconcile.resources.file import File
from reconcile.resources.tree import Tree
from reconcile.system import Host
from tests.support.completed import completed

pytestmark = pytest.mark.process

ACL, DEFAULT_ACL = "system.posix_acl_access", "system.posix_acl_default"
CAPABILITY, LABEL, NOTE = "security.capability", "security.selinux", "user.note"
NET_BIND = bytes.fromhex("0100000200040000000000000000000000000000")
"""cap_net_bind_service=ep. Source: linux/capability.h, struct vfs_cap_data."""

Hang = Callable[[Path], object]


def attributes(path: Path) -> dict[str, bytes]:
    return {name: os.getxattr(path, name) for name in os.listxattr(path)}


def mode(path: Path) -> str:
    return f"{path.stat().st_mode & 0o7777:04o}"


def acl(*entries: str) -> Hang:
    return lambda path: subprocess.run(["setfacl", "-m", ",".join(entries), path], check=True)


def labelled(name: str, value: bytes) -> Hang:
    return lambda path: os.setxattr(path, name, value)


def planned(wanted: Resource, host: Host) -> tuple[list[str], dict[str, object]]:
    """What the plan would say beside the change, and what it would show before the change."""
    before = wanted.observe(host)
    assert before is not None
    reported = [" ".join((one.what, *one.evidence)) for one in before.findings()]
    return reported, before.display()


def applied(wanted: Resource, host: Host) -> None:
    before = wanted.observe(host)
    completed(wanted, before, host).apply(host, before)
    assert [] == planned(wanted, host)[0]


@dataclass(frozen=True)
class Case:
    """What hangs on the file, what is asked of it, what the plan tells, what is there after."""

    hang: Hang
    asked: dict[str, object]
    reported: str = ""
    lost: str = ""
    mode: str = "0640"


OWNER = {"user": "www-data", "group": "www-data", "mode": 0o640, "content": b"old"}
MODE = {"user": "root", "group": "root", "mode": 0o644, "content": b"old"}
CONTENT = {"user": "root", "group": "root", "mode": 0o640, "content": b"new"}
BOB = acl("u:games:rwx")
"""Gives the file, of mode 0640 until then, the mask rwx: its mode is 0670."""

FILES = {
    "an ACL, the owner changes": Case(acl("u:games:r"), OWNER),
    "an ACL, the content changes": Case(acl("u:games:r"), CONTENT),
    "an ACL, the mode takes from it": Case(
        BOB, MODE, reported="user:games rwx -> r--", lost=ACL, mode="0644"
    ),
    "an ACL, mode and content change": Case(
        BOB, {**CONTENT, "mode": 0o644}, reported="user:games rwx -> r--", lost=ACL, mode="0644"
    ),
    "an ACL, the mode gives to it": Case(
        lambda path: (acl("g:games:rwx")(path), path.chmod(0o600)),
        {**MODE, "mode": 0o660},
        reported="group:games --- -> rw-",
        lost=ACL,
        mode="0660",
    ),
    "an attribute, the owner changes": Case(labelled(NOTE, b"x"), OWNER),
    "an attribute, the mode changes": Case(labelled(NOTE, b"x"), MODE, mode="0644"),
    "an attribute, the content changes": Case(labelled(NOTE, b"x"), CONTENT),
    "a label, the owner changes": Case(labelled(LABEL, b"system_u:object_r:t:s0\0"), OWNER),
    "a label, the mode changes": Case(
        labelled(LABEL, b"system_u:object_r:t:s0\0"), MODE, mode="0644"
    ),
    "a label, the content changes": Case(labelled(LABEL, b"system_u:object_r:t:s0\0"), CONTENT),
    "capabilities, the owner changes": Case(labelled(CAPABILITY, NET_BIND), OWNER),
    "capabilities, the mode changes": Case(labelled(CAPABILITY, NET_BIND), MODE, mode="0644"),
    "capabilities, the content changes": Case(
        labelled(CAPABILITY, NET_BIND), CONTENT, reported="loses its capabilities", lost=CAPABILITY
    ),
}


@pytest.mark.parametrize("case", FILES.values(), ids=FILES)
def test_of_a_file(host: Host, site: Path, case: Case) -> None:
    path = site / "file"
    path.write_bytes(b"old")
    path.chmod(0o640)
    case.hang(path)
    before = attributes(path)
    wanted = File(path=str(path), **case.asked)

    reported, _ = planned(wanted, host)
    applied(wanted, host)

    assert bool(case.reported) == bool(reported)
    assert case.reported in "".join(reported)
    kept = {name: value for name, value in before.items() if name != case.lost}
    assert kept == {name: attributes(path).get(name) for name in kept}
    assert (bool(case.lost), case.mode) == (attributes(path) != before, mode(path))


@pytest.mark.parametrize("bits", [0o4755, 0o2755])
def test_setuid_and_setgid_stay_where_the_mode_is_not_managed(
    host: Host, site: Path, bits: int
) -> None:
    path = site / "program"
    path.write_bytes(b"old")
    path.chmod(bits)
    wanted = File(path=str(path), user="www-data", group="www-data", content=b"new")

    applied(wanted, host)

    assert f"{bits:04o}" == mode(path)


@pytest.mark.parametrize("bits", [0o4644, 0o2644])
def test_setuid_and_setgid_that_go_are_in_the_plan(host: Host, site: Path, bits: int) -> None:
    path = site / "program"
    path.write_bytes(b"old")
    path.chmod(bits)
    wanted = File(path=str(path), mode=0o644, content=b"old")

    _, before = planned(wanted, host)
    applied(wanted, host)

    assert (f"{bits:04o}", "0644") == (before["mode"], mode(path))


def test_new_content_brings_no_access_list_that_the_old_did_not_have(
    host: Host, site: Path
) -> None:
    """What is made in a directory with a default list gets one by itself."""
    secret = site / "app.env"
    secret.write_bytes(b"old")
    secret.chmod(0o640)
    subprocess.run(["setfacl", "-d", "-m", "u:games:rwx", site], check=True)

    applied(File(path=str(secret), user="root", mode=0o640, content=b"new"), host)

    assert {} == attributes(secret)
    assert "0640" == mode(secret)


def test_of_a_directory_the_default_acl_stays_and_mask_changes_are_reported(
    host: Host, site: Path
) -> None:
    folder = site / "shared"
    folder.mkdir()
    acl("u:games:rwx", "d:u:games:rwx", "g:games:r-x")(folder)
    os.setxattr(folder, NOTE, b"x")
    before = attributes(folder)
    wanted = Directory(path=str(folder), user="www-data", group="www-data", mode=0o755)

    reported, _ = planned(wanted, host)
    applied(wanted, host)

    assert ["user:games rwx -> r-x."] == [line.rpartition(": ")[2] for line in reported]
    unchanged = {name: before[name] for name in (DEFAULT_ACL, NOTE)}
    assert unchanged == {name: attributes(folder)[name] for name in unchanged}
    assert "0755" == mode(folder)


def test_letting_the_web_server_pass_takes_nothing_from_an_access_list(
    host: Host, site: Path
) -> None:
    folder = site / "closed"
    folder.mkdir(mode=0o700)
    acl("u:games:rwx")(folder)
    wanted = Directory(path=str(folder), enterable_by=("www-data",))

    reported, _ = planned(wanted, host)
    applied(wanted, host)

    assert [] == reported
    shown = subprocess.run(["getfacl", "-c", folder], capture_output=True, text=True, check=True)
    assert "user:games:rwx\n" in shown.stdout, shown.stdout


def test_of_a_tree_every_acl_that_a_mask_changes_is_reported_with_examples(
    host: Host, site: Path
) -> None:
    media = site / "media"
    (media / "2026").mkdir(parents=True)
    for number in range(7):
        (media / f"2026/{number}.jpg").write_bytes(b"photo")
        acl("u:games:rw")(media / f"2026/{number}.jpg")
    (media / "plain.jpg").write_bytes(b"photo")
    (media / "plain.jpg").chmod(0o600)
    subprocess.run(["chown", "-R", "www-data:www-data", media], check=True)
    tree = Tree(path=str(media), user="www-data", group="www-data")

    reported, _ = planned(tree, host)
    applied(tree, host)

    [line] = reported
    assert line.startswith(f"In {media}, modes are also the masks of ACLs")
    assert 5 == line.count("user:games rw- -> r--")
    assert line.endswith("and 2 more")
    assert "plain.jpg" not in line


def test_of_a_tree_setuid_is_in_the_plan_and_capabilities_stay(host: Host, site: Path) -> None:
    media = site / "media"
    media.mkdir()
    program = media / "program"
    program.write_bytes(b"x")
    os.chown(program, 33, 33)
    program.chmod(0o4755)
    os.setxattr(program, CAPABILITY, NET_BIND)
    tree = Tree(path=str(media), user="www-data", group="www-data")

    _, before = planned(tree, host)
    applied(tree, host)

    assert ["mode 4755 -> 0644: 1 file (program)"] == before["deviations"]
    assert ("0644", NET_BIND) == (mode(program), attributes(program)[CAPABILITY])


def test_of_assets_every_acl_that_a_mask_changes_is_reported(host: Host, site: Path) -> None:
    source, root = site / "source", site / "static"
    source.mkdir()
    root.mkdir()
    (source / "app.css").write_bytes(b"body {}")
    assets = Assets(path=str(root), source=str(source), user="root", group="root")
    applied(assets, host)
    acl("u:games:rwx")(root / "app.css")

    reported, _ = planned(assets, host)
    applied(assets, host)

    assert 1 == len(reported)
    assert "app.css: user:games rwx -> r--" in reported[0]


def test_a_copy_has_no_attribute_of_its_source(host: Host, site: Path) -> None:
    source, root = site / "source", site / "static"
    source.mkdir()
    root.mkdir()
    (source / "tool").write_bytes(b"body {}")
    for hang in (acl("u:games:rwx"), labelled(NOTE, b"note"), labelled(CAPABILITY, NET_BIND)):
        hang(source / "tool")

    applied(Assets(path=str(root), source=str(source), user="root", group="root"), host)

    assert ({}, "0644") == (attributes(root / "tool"), mode(root / "tool"))
