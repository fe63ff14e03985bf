"""An apply that is killed or overtaken does no harm; the next one ends well."""

from __future__ import annotations

import threading

import pytest

from tests.lab import Completed, DebianHost
from tests.support import guide_site as site

pytestmark = pytest.mark.host

# At the nth of these calls the power to go on is taken away; a first apply makes more of each.
MOMENTS = [
    *(("mkdirat", 1), ("mkdirat", 10), ("fchmod", 4), ("symlinkat", 1)),
    *(("renameat", 1), ("renameat", 4), ("renameat", 8)),
    *(("fsync", 1), ("fsync", 10), ("fsync", 25)),
]


@pytest.fixture
def host(debian_host: DebianHost) -> DebianHost:
    """A stock host with everything in place for its first apply."""
    site.deploy(debian_host)
    return debian_host


@pytest.mark.parametrize(("call", "nth"), MOMENTS)
def test_an_apply_killed_anywhere_is_completed_by_the_next(
    host: DebianHost, call: str, nth: int
) -> None:
    strace = ("strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}")
    kill = ("-e", f"inject={call}:signal=SIGKILL:when={nth}")
    apply = ("/usr/local/bin/reconcile", "apply", "--auto-approve")
    script = '"$@"; echo "ended with $?"'
    killed = host.run("sh", "-c", script, "sh", *strace, *kill, *apply, cwd="/etc/reconcile")
    assert "ended with 137" in killed.stdout, killed.stdout + killed.stderr

    site.apply(host)

    assert 0 == site.plan(host).exit_code
    assert "" == host.run("find", "/etc", "/var/www", "-name", "*reconcile-*").stdout
    assert 200 == host.http("GET", "/static/css/app.css").status


def test_of_two_applies_at_once_one_waits_outside(host: DebianHost) -> None:
    done: list[Completed] = []
    apply = ("apply", "--auto-approve")
    both = [threading.Thread(target=lambda: done.append(host.reconcile(*apply))) for _ in range(2)]

    for one in both:
        one.start()
    for one in both:
        one.join()

    assert [0, 4] == sorted(one.returncode for one in done), [one.stderr for one in done]
    assert 0 == site.plan(host).exit_code
