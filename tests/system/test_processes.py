"""Processes as /proc tells of them, and errands as another user."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconcile.errors import ReconcileError
from reconcile.system import processes
from reconcile.system.accounts import Account, Accounts
from reconcile.system.processes import (
    as_user,
    children,
    command_line,
    identity,
    started_at,
    wait_until,
)

pytestmark = pytest.mark.process


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


@pytest.fixture
def www_data() -> Account:
    return Accounts().user("www-data")


def test_a_process_started_after_a_file_changed_is_younger_than_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    time.sleep(0.02)  # a start is told in steps of 10 ms, the earlier one

    with subprocess.Popen(["sleep", "1000"]) as process:
        started = started_at(process.pid)
        now = time.time()
        process.kill()

    assert started is not None
    assert file.stat().st_mtime < started <= now


def test_a_start_time_is_never_too_late(sleeper: subprocess.Popen[bytes], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    started = started_at(sleeper.pid)

    assert started is not None
    assert started <= (tmp_path / "file").stat().st_mtime + 0.004  # the kernel's coarse clock


def test_a_process_keeps_its_identity(sleeper: subprocess.Popen[bytes]) -> None:
    found = identity(sleeper.pid)

    assert found is not None
    assert sleeper.pid == found.pid
    assert found == identity(sleeper.pid)


def test_a_zombie_does_not_live() -> None:
    with subprocess.Popen(["sleep", "1000"]) as process:
        process.kill()
        assert wait_until(lambda: identity(process.pid) is None, timeout_s=60)

        assert started_at(process.pid) is None
        assert process.pid not in children(os.getpid())


def test_children_are_those_of_that_parent(sleeper: subprocess.Popen[bytes]) -> None:
    assert sleeper.pid in children(os.getpid())
    assert () == children(sleeper.pid)


def test_a_title_is_the_command_line(sleeper: subprocess.Popen[bytes]) -> None:
    assert wait_until(lambda: command_line(sleeper.pid) == "sleep 1000", timeout_s=60)


@pytest.mark.parametrize("name", ["a) R 1 2 3 (b", "x y", ") "])
def test_a_process_with_a_confusing_name_is_read_right(tmp_path: Path, name: str) -> None:
    program = tmp_path / name
    program.write_bytes(Path("/usr/bin/sleep").read_bytes())
    program.chmod(0o755)

    with subprocess.Popen([program, "1000"]) as process:
        found = process.pid in children(os.getpid())
        process.kill()

    assert found


def test_what_is_gone_has_no_facts() -> None:
    gone = 2**22 + 1  # above the kernel's highest process id

    assert (None, None, "", ()) == (
        identity(gone),
        started_at(gone),
        command_line(gone),
        children(gone),
    )


def test_an_action_has_all_the_ids_of_the_user(www_data: Account) -> None:
    ids = as_user(www_data, lambda: [*os.getresuid(), *os.getresgid(), os.getgroups()])

    assert [www_data.uid] * 3 + [www_data.gid] * 3 + [sorted(www_data.groups)] == ids


def test_an_action_cannot_become_root_again(www_data: Account) -> None:
    with pytest.raises(PermissionError):
        as_user(www_data, lambda: os.setuid(0))


def test_an_action_is_refused_what_the_user_is_refused(www_data: Account, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o600)

    with pytest.raises(PermissionError) as refused:
        as_user(www_data, secret.read_text)

    assert (errno.EACCES, str(secret)) == (refused.value.errno, refused.value.filename)


def test_text_that_is_no_utf_8_comes_back(www_data: Account) -> None:
    assert "a\udcff" == as_user(www_data, lambda: "a\udcff")


def test_a_large_answer_comes_back_whole(www_data: Account) -> None:
    assert "x" * 1_000_000 == as_user(www_data, lambda: "x" * 1_000_000)


def test_our_errors_come_back_whole(www_data: Account) -> None:
    def errand() -> None:
        raise ReconcileError("what", "why", "fix")

    with pytest.raises(ReconcileError) as failed:
        as_user(www_data, errand)

    assert ("what", "why", "fix") == (failed.value.what, failed.value.why, failed.value.fix)


def test_any_other_error_comes_back_as_plain_words(www_data: Account) -> None:
    with pytest.raises(ReconcileError, match="ZeroDivisionError: "):
        as_user(www_data, lambda: 1 // 0)


def test_an_action_that_hangs_is_killed(www_data: Account) -> None:
    before = set(children(os.getpid()))

    with pytest.raises(ReconcileError, match=r"did not answer within 0\.2 s"):
        as_user(www_data, lambda: time.sleep(1000), timeout_s=0.2)

    assert before == set(children(os.getpid()))


def test_an_action_that_is_killed_is_an_error(www_data: Account) -> None:
    with pytest.raises(ReconcileError, match="did not answer"):
        as_user(www_data, lambda: os.kill(os.getpid(), signal.SIGKILL))


def test_an_action_changes_nothing_in_its_caller(www_data: Account) -> None:
    seen: list[int] = []

    as_user(www_data, lambda: seen.append(1))

    assert ([], 0) == (seen, os.geteuid())


def test_who_is_not_root_cannot_act_as_others(www_data: Account) -> None:
    root = Accounts().user("root")

    with pytest.raises(ReconcileError, match="Cannot act as root"):
        as_user(www_data, lambda: as_user(root, os.getuid))


def test_everyone_can_act_as_themselves(www_data: Account) -> None:
    assert www_data.uid == as_user(www_data, lambda: as_user(www_data, os.getuid))


MASTER, WORKER = "nginx: master process nginx", "nginx: worker process"
FORKING = {
    "no worker yet": [{}, {2: WORKER}],
    "a copy of the master": [{2: MASTER}, {2: WORKER}],
    "a copy beside a worker that ends": [
        {2: f"{WORKER} is shutting down", 3: MASTER},
        {2: f"{WORKER} is shutting down", 3: WORKER},
    ],
    "a helper that is there first": [{2: "nginx: cache loader process"}, {3: WORKER}],
}


@pytest.mark.parametrize("readings", FORKING.values(), ids=FORKING)
def test_workers_are_awaited_where_nginx_has_just_forked_them(
    monkeypatch: pytest.MonkeyPatch, readings: list[dict[int, str]]
) -> None:
    titles = iter(readings)
    monkeypatch.setattr(processes, "_titles", lambda _: next(titles))
    monkeypatch.setattr(processes, "started_at", lambda _: time.time())

    assert 1 == len(processes.started_workers(1))


@pytest.mark.parametrize("readings", FORKING.values(), ids=FORKING)
def test_workers_are_awaited_where_they_wait_for_a_processor(
    monkeypatch: pytest.MonkeyPatch, readings: list[dict[int, str]]
) -> None:
    titles = iter(readings)
    monkeypatch.setattr(processes, "_titles", lambda _: next(titles))
    monkeypatch.setattr(processes, "started_at", lambda _: time.time() - 10)
    monkeypatch.setattr(processes, "_is_runnable", lambda _: True)

    assert 1 == len(processes.started_workers(1))


@pytest.mark.parametrize("titles", [{}, {2: MASTER}, {2: MASTER, 3: WORKER}])
def test_an_old_master_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, titles: dict[int, str]
) -> None:
    readings = iter([titles])
    monkeypatch.setattr(processes, "_titles", lambda _: next(readings))
    monkeypatch.setattr(processes, "started_at", lambda _: time.time() - 60)
    monkeypatch.setattr(processes, "_is_runnable", lambda _: False)

    assert list(titles.values()).count(WORKER) == len(processes.started_workers(1))
