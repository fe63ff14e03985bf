"""Our copy of an htpasswd, and the login of our own probes in it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from reconcile.engine.model import Plan
from reconcile.resources.directory import Directory
from reconcile.resources.password_file import PasswordFile
from reconcile.system.probe_login import read_password, without_login
from tests.support.machine import Machine

PEOPLE = b"anna:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n"
OTHERS = PEOPLE + b"ben:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="


class Copy:
    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.path = Path(machine.path("passwords/shop"))

    def declared(self, content: bytes) -> tuple[Directory, PasswordFile]:
        folder = Directory(path=str(self.path.parent))
        file = PasswordFile(path=str(self.path), content=content, mode=0o640, sensitive=True)
        return folder, file

    def plan(self, content: bytes = PEOPLE) -> Plan:
        return self.machine.plan(*self.declared(content))

    def apply(self, content: bytes = PEOPLE) -> str:
        return self.machine.apply(*self.declared(content), replan=lambda: self.plan(content)).result


@pytest.fixture
def copy(machine: Machine) -> Copy:
    return Copy(machine)


@pytest.mark.parametrize("content", [PEOPLE, OTHERS, b"", b"# nobody yet\n"])
def test_what_people_wrote_stays_and_one_line_follows(copy: Copy, content: bytes) -> None:
    assert "applied" == copy.apply(content)

    text = copy.path.read_bytes()
    assert content.rstrip(b"\n") == without_login(text).rstrip(b"\n")
    assert 1 == text.count(b"reconcile-probe:{SSHA}")
    assert () == copy.plan(content).changes


def test_the_password_is_random_and_for_root_alone(copy: Copy) -> None:
    copy.apply()

    secret = Path(copy.machine.state) / "probe-login"
    password = read_password(copy.machine.host)
    assert password is not None
    assert 0o600 == stat.S_IMODE(secret.stat().st_mode)
    assert password.encode() not in copy.path.read_bytes()
    ledger = (Path(copy.machine.state) / "ledger.json").read_bytes()
    assert password.encode() not in ledger


def test_a_plan_makes_no_password(copy: Copy) -> None:
    copy.plan()

    assert read_password(copy.machine.host) is None


@pytest.mark.parametrize("lost", ["the line", "the password"])
def test_a_lost_login_is_made_again(copy: Copy, lost: str) -> None:
    copy.apply()
    if lost == "the line":
        copy.path.write_bytes(PEOPLE)
    else:
        copy.machine.host.state.remove("probe-login")

    plan = copy.plan()

    assert [["has_login"]] == [[field.name for field in one.fields] for one in plan.changes]
    assert "applied" == copy.apply()
    assert () == copy.plan().changes


def test_a_copy_goes_with_its_access_unless_somebody_changed_it(copy: Copy) -> None:
    copy.apply()
    copy.machine.apply()
    assert not copy.path.exists()

    copy.apply()
    with copy.path.open("ab") as file:
        file.write(b"eve:{PLAIN}x\n")
    copy.machine.apply()
    assert copy.path.exists()


def test_a_new_list_of_people_keeps_the_login(copy: Copy) -> None:
    copy.apply()
    first = copy.path.read_bytes().removeprefix(PEOPLE)

    copy.apply(OTHERS)

    assert OTHERS + b"\n" + first == copy.path.read_bytes()
