"""An apply that is killed, overtaken or outdated does no harm; the next one ends well."""

from __future__ import annotations

import threading

import pytest

from tests.hosts import Completed, DebianHost
from tests.stories import site

pytestmark = pytest.mark.host

MOMENTS = (
    "mkdirat",
    "renameat2,renameat,rename",
    "symlinkat,symlink",
    "unlinkat,unlink",
    "fchownat",
)


@pytest.fixture
def host(debian_host: DebianHost) -> DebianHost:
    """A stock host with everything in place for its first apply."""
    site.deploy(debian_host)
    return debian_host


@pytest.mark.parametrize("nth", [1, 4])
@pytest.mark.parametrize("call", MOMENTS)
def test_an_apply_killed_anywhere_is_completed_by_the_next(
    host: DebianHost, call: str, nth: int
) -> None:
    names = ",".join("?" + name for name in call.split(","))
    inject = f"inject={names}:signal=SIGKILL:when={nth}"
    apply = ("/usr/local/bin/reconcile", "apply", "--auto-approve")
    strace = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={names}", "-e", inject)
    host.run("sh", "-c", '"$@"; true', "sh", *strace, *apply, cwd="/etc/reconcile", timeout_s=120)

    site.apply(host)

    assert 0 == site.plan(host).exit_code
    assert "" == host.run("find", "/etc", "/var/www", "-name", "*reconcile-*").stdout
    assert 200 == host.http("GET", "/static/css/app.css").status


def test_of_two_applies_at_once_one_waits_outside(host: DebianHost) -> None:
    done: list[Completed] = []
    apply = ("apply", "--auto-approve", "--lock-timeout", "0s")
    both = [threading.Thread(target=lambda: done.append(host.reconcile(*apply))) for _ in range(2)]

    for one in both:
        one.start()
    for one in both:
        one.join()

    assert [0, 4] == sorted(one.returncode for one in done), [one.stderr for one in done]
    assert 0 == site.plan(host).exit_code


def test_a_saved_plan_is_applied_without_a_question(host: DebianHost) -> None:
    host.reconcile("plan", "--out", "/root/saved.plan", check=True)

    host.reconcile("apply", "/root/saved.plan", check=True)

    assert 0 == site.plan(host).exit_code


@pytest.mark.parametrize(
    "meanwhile",
    [
        "mkdir -p /var/www/myapp/static",
        "sed -i s/example.com/example.org/ /etc/reconcile/reconcile.yaml",
    ],
    ids=["the host", "the file"],
)
def test_a_saved_plan_is_refused_once_something_moved_on(host: DebianHost, meanwhile: str) -> None:
    host.reconcile("plan", "--out", "/root/saved.plan", check=True)
    host.run("sh", "-c", meanwhile)
    before = host.manifest(mtimes=True)

    done = host.reconcile("apply", "/root/saved.plan")

    assert 5 == done.returncode, done.stdout + done.stderr
    assert before == host.manifest(mtimes=True)
