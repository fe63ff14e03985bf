"""One apply at a time, and everybody knows whose turn it is."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from reconcile.errors import ExitCode, LockHeld
from reconcile.system import Host
from reconcile.system.lock import lock

pytestmark = pytest.mark.process


def held_by_another(host: Host) -> int:
    """A process that holds the lock until it is killed; its id."""
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ready)
        with lock(host, "reconcile apply shop"):
            os.write(tell, b"x")
            signal.pause()
        os._exit(0)
    os.close(tell)
    assert b"x" == os.read(ready, 1)
    os.close(ready)
    return child


def killed(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_a_second_one_is_refused_and_shown_the_holder(host: Host) -> None:
    child = held_by_another(host)
    try:
        with pytest.raises(LockHeld) as refused, lock(host, "reconcile apply"):
            pass
    finally:
        killed(child)

    assert ExitCode.LOCKED == refused.value.exit_code
    assert f"pid {child}: reconcile apply shop" in refused.value.why
    assert "by root since 20" in refused.value.why


def test_a_killed_holder_holds_it_no_longer(host: Host) -> None:
    killed(held_by_another(host))

    with lock(host, "reconcile apply"):
        pass


def test_it_is_free_again_after_an_error(host: Host) -> None:
    with pytest.raises(ZeroDivisionError), lock(host, "reconcile apply"):
        raise ZeroDivisionError

    with lock(host, "reconcile apply"):
        pass


def test_waiting_is_worth_it_when_the_holder_ends_in_time(host: Host) -> None:
    child = held_by_another(host)
    if (waker := os.fork()) == 0:
        os.kill(child, signal.SIGKILL)
        os._exit(0)

    with lock(host, "reconcile apply", timeout_s=20):
        os.waitpid(waker, 0)
    os.waitpid(child, 0)


def test_of_many_at_once_only_one_is_inside_at_any_time(host: Host, tmp_path: Path) -> None:
    """Each adds one to a number without any care; not one is lost."""
    number = tmp_path / "number"
    number.write_text("0")
    host.state.make_directory()

    children = [_fork_adding_one(host, number) for _ in range(50)]

    assert {0} == {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children}
    assert "50" == number.read_text()


def _fork_adding_one(host: Host, number: Path) -> int:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with lock(host, "reconcile apply", timeout_s=60):
                number.write_text(str(int(number.read_text()) + 1))
            status = 0
        finally:
            os._exit(status)
    return child
