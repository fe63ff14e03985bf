"""A release is killed at any of its effects, also with the power gone: one rerun makes it whole."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.faults import dying
from tests.lab import DebianHost
from tests.lab.debian import KILLED
from tests.lab.fixtures import Boot
from tests.lab.lab import Lab
from tests.stories.test_releases import (
    COMPATIBLE,
    STEP,
    apply,
    declare,
    in_use,
    lay_source,
    served,
    units,
    visited,
)
from tests.support.tally import TALLY
from tests.support.wait import wait_for

pytestmark = [pytest.mark.host, pytest.mark.nightly]

PROGRAM = "/root/dying.py"
STEPS = f"{STEP}, {COMPATIBLE}"
SHARES = 8
REBOOTS_EVERY = 29
MOST_EFFECTS = 5_000


@pytest.fixture
def host(debian_hosts: Boot) -> DebianHost:
    """A host that serves version 1."""
    host = debian_hosts()
    host.write(PROGRAM, Path(dying.__file__).read_text())
    lay_source(host, "1")
    declare(host, STEPS)
    apply(host)
    return host


def killed_at(host: DebianHost, number: int) -> bool:
    """Apply, killed before the effect of that number; False where all of it was done."""
    script = f"/opt/reconcile/bin/python -I {PROGRAM} {number} apply --auto-approve; echo $?"
    done = host.run("sh", "-c", script, cwd="/etc/reconcile")
    code = int(done.stdout.splitlines()[-1])
    assert code in (0, KILLED), done.stdout + done.stderr
    TALLY["kills in a release"] += code == KILLED
    return code == KILLED


def refuse_halves(host: DebianHost, version: str, number: int) -> None:
    """Exactly the new version, and nothing left of what was interrupted."""
    where = f"killed before effect {number}"
    assert version == served(host), where
    name = in_use(host).rpartition("/")[2]
    assert [f"gunicorn-{name}.service", f"gunicorn-{name}.socket"] == units(host), where
    folders = host.run("ls", "/srv/myapp/releases").stdout.split()
    assert len(folders) == 2, f"{where}: {folders}"
    assert "" == host.run("find", "/srv/myapp", "-name", ".incomplete").stdout, where
    assert 0 == host.reconcile("history").returncode, where


def numbers(first: int, every: int) -> Iterator[int]:
    for number in count(first, every):
        assert number < MOST_EFFECTS
        yield number


def wait_until_served(host: DebianHost) -> None:
    def is_served() -> bool:
        try:
            return host.http("GET", "/").status == 200
        except OSError:
            return False

    wait_for(is_served, what="the app after the boot")


@pytest.mark.parametrize("share", range(SHARES))
def test_killed_at_any_effect_visitors_notice_nothing_and_a_rerun_ends_it(
    host: DebianHost, share: int
) -> None:
    with visited(host):
        for number in numbers(share, SHARES):
            version = f"killed-{number}"
            lay_source(host, version)
            was_killed = killed_at(host, number)
            assert served(host) in (version, f"killed-{number - SHARES}", "1")
            apply(host)
            refuse_halves(host, version, number)
            if not was_killed:
                break


def test_with_the_power_gone_a_rerun_ends_it_too(lab: Lab, host: DebianHost) -> None:
    for number in numbers(REBOOTS_EVERY // 2, REBOOTS_EVERY):
        version = f"down-{number}"
        lay_source(host, version)
        was_killed = killed_at(host, number)
        host = lab.reboot(host)
        wait_until_served(host)
        apply(host)
        refuse_halves(host, version, number)
        if not was_killed:
            break
