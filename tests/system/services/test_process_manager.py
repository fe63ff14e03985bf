"""The process manager, with real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reconcile.engine.digest import digest
from reconcile.errors import ReconcileError
from reconcile.resources.gunicorn_params import GunicornParams
from reconcile.resources.gunicorn_units import unit_texts
from reconcile.system import Host
from reconcile.system.processes import children, identity, wait_until
from reconcile.system.services import ServiceFailed
from reconcile.system.services.process.record import end
from tests.support.process_manager import Journal, WriteUnit

pytestmark = pytest.mark.process

SLEEP = "ExecStart=/usr/bin/sleep 1000"


def log_of(host: Host, unit: str) -> str:
    return Path(host.settings.state_dir, "log", f"{unit}.log").read_text()


def test_a_started_unit_is_active_with_its_process(host: Host, write_unit: WriteUnit) -> None:
    unit = write_unit("sleep.service", SLEEP)

    host.services.start(unit)

    status = host.services.status(unit)
    assert (True, True, "active (running)") == (status.loaded, status.active, status.state)
    assert b"/usr/bin/sleep\x001000\x00" == Path(f"/proc/{status.main_pid}/cmdline").read_bytes()
    assert status.started_at is not None
    assert abs(status.started_at - time.time()) < 30


def test_a_unit_without_a_file_is_not_loaded_and_cannot_be_started(host: Host) -> None:
    assert not host.services.status("nope.service").loaded

    with pytest.raises(ServiceFailed) as failed:
        host.services.start("nope.service")

    assert "does not exist" in failed.value.why
    assert failed.value.fix


def test_a_unit_that_was_never_started_is_loaded_and_inactive(
    host: Host, write_unit: WriteUnit
) -> None:
    status = host.services.status(write_unit("sleep.service", SLEEP))

    assert (True, False, 0, None) == (
        status.loaded,
        status.active,
        status.main_pid,
        status.started_at,
    )


def test_a_stopped_unit_is_gone_and_leaves_no_zombie(host: Host, write_unit: WriteUnit) -> None:
    unit = write_unit("sleep.service", SLEEP)
    host.services.start(unit)
    pid = host.services.status(unit).main_pid

    host.services.stop(unit)

    assert not host.services.status(unit).active
    assert identity(pid) is None
    assert pid not in children(os.getpid())


def test_stopping_and_starting_twice_is_the_same_as_once(host: Host, write_unit: WriteUnit) -> None:
    unit = write_unit("sleep.service", SLEEP)
    host.services.start(unit)
    first = host.services.status(unit).main_pid

    host.services.start(unit)
    again = host.services.status(unit).main_pid
    host.services.stop(unit)
    host.services.stop(unit)

    assert first == again


def test_a_restart_gives_another_process(host: Host, write_unit: WriteUnit) -> None:
    unit = write_unit("sleep.service", SLEEP)
    host.services.start(unit)
    before = host.services.status(unit).main_pid

    host.services.restart(unit)

    assert host.services.status(unit).active
    assert before != host.services.status(unit).main_pid


def test_a_process_was_started_from_the_file_of_then_whatever_became_of_it(
    host: Host, write_unit: WriteUnit
) -> None:
    unit = write_unit("sleep.service", SLEEP)
    then = digest(Path(host.services.unit_path(unit)).read_bytes())
    host.services.start(unit)

    write_unit("sleep.service", SLEEP, "UMask=0077")

    assert then == host.services.started_from(host.services.status(unit))


def test_another_process_under_the_recorded_id_is_not_the_service(
    host: Host, write_unit: WriteUnit
) -> None:
    unit = write_unit("sleep.service", SLEEP)
    host.services.start(unit)
    record = Path(host.settings.state_dir, "run", f"{unit}.json")
    told = json.loads(record.read_text())
    own = identity(os.getpid())
    assert own is not None

    record.write_text(json.dumps({**told, "pid": own.pid}))
    status = host.services.status(unit)
    host.services.stop(unit)
    record.write_text(json.dumps(told))

    assert not status.active
    assert identity(os.getpid()) == own


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"pid": "x", "nonsense": 2}'])
def test_a_damaged_record_means_not_running(
    host: Host, write_unit: WriteUnit, content: str
) -> None:
    unit = write_unit("sleep.service", SLEEP)
    host.services.start(unit)
    record = Path(host.settings.state_dir, "run", f"{unit}.json")
    whole = record.read_text()

    record.write_text(content)
    status = host.services.status(unit)
    record.write_text(whole)

    assert not status.active


def test_a_program_that_ends_at_once_is_an_error_with_its_last_words(
    host: Host, write_unit: WriteUnit
) -> None:
    unit = write_unit("bad.service", 'ExecStart=/bin/sh -c "echo the disk is full; exit 3"')

    with pytest.raises(ServiceFailed) as failed:
        host.services.start(unit)

    assert "the disk is full" == failed.value.why
    assert not host.services.status(unit).active


def test_only_output_of_this_start_is_reported(host: Host, write_unit: WriteUnit) -> None:
    unit = write_unit("bad.service", 'ExecStart=/bin/sh -c "echo old; exit 3"')
    with pytest.raises(ServiceFailed):
        host.services.start(unit)
    write_unit("bad.service", 'ExecStart=/bin/sh -c "echo new; exit 3"')

    with pytest.raises(ServiceFailed) as failed:
        host.services.start(unit)

    assert "new" == failed.value.why


def test_a_failing_check_keeps_the_program_from_being_started(
    host: Host, write_unit: WriteUnit
) -> None:
    unit = write_unit("bad.service", 'ExecStartPre=/bin/sh -c "echo no app; exit 1"', SLEEP)

    with pytest.raises(ServiceFailed) as failed:
        host.services.start(unit)

    assert "no app" == failed.value.why
    assert not host.services.status(unit).active


def test_a_program_that_cannot_be_executed_is_named(host: Host, write_unit: WriteUnit) -> None:
    unit = write_unit("bad.service", "ExecStart=/nope/python -m gunicorn")

    with pytest.raises(ReconcileError) as failed:
        host.services.start(unit)

    assert "Cannot run /nope/python" == failed.value.what
    assert "No such file or directory" in failed.value.why


def test_a_missing_working_directory_is_named(host: Host, write_unit: WriteUnit) -> None:
    unit = write_unit("bad.service", SLEEP, "WorkingDirectory=/nope/app")

    with pytest.raises(ReconcileError) as failed:
        host.services.start(unit)

    assert "/nope/app: No such file or directory" == failed.value.why


def test_a_program_inherits_nothing(
    host: Host, write_unit: WriteUnit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    lock = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)
    os.set_inheritable(lock, True)
    unit = write_unit("sleep.service", SLEEP, "Environment=MODE=plain", "UMask=0027")

    host.services.start(unit)
    os.close(lock)

    proc = Path(f"/proc/{host.services.status(unit).main_pid}")
    environment = dict(
        entry.split("=", 1) for entry in (proc / "environ").read_text().split("\0") if entry
    )
    facts = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines())
    assert {"0", "1", "2"} == set(os.listdir(proc / "fd"))
    assert "/dev/null" == os.readlink(proc / "fd" / "0")
    assert {"PATH", "LC_ALL", "USER", "LOGNAME", "MODE"} == environment.keys()
    assert "/" == os.readlink(proc / "cwd")
    assert "0027" == facts["Umask"]
    assert "0000000000000000" == facts["SigIgn"]
    assert "0000000000000000" == facts["SigBlk"]
    assert os.getsid(int(proc.name)) == int(proc.name)


def test_a_program_runs_as_the_user_of_its_unit(host: Host, write_unit: WriteUnit) -> None:
    unit = write_unit("sleep.service", SLEEP, "User=www-data", "Group=daemon")
    account = host.accounts.user("www-data")

    host.services.start(unit)

    facts = Path(f"/proc/{host.services.status(unit).main_pid}/status").read_text()
    uids = "\t".join([str(account.uid)] * 4)
    gids = "\t".join([str(host.accounts.group("daemon"))] * 4)
    assert f"\nUid:\t{uids}\nGid:\t{gids}\n" in facts


def test_a_program_that_ignores_sigterm_is_killed_with_its_children(
    host: Host, write_unit: WriteUnit
) -> None:
    deaf = 'ExecStart=/bin/sh -c "trap : TERM; sleep 1000 & while :; do wait; done"'
    unit = write_unit("deaf.service", deaf)
    host.services.start(unit)
    pid = host.services.status(unit).main_pid
    assert wait_until(lambda: bool(children(pid)), timeout_s=60)
    child = children(pid)[0]

    end(pid, ((signal.SIGTERM, 0.2),))

    assert identity(pid) is None
    assert wait_until(lambda: identity(child) is None, timeout_s=60)


def test_a_start_that_is_killed_half_way_leaves_nothing_running_that_is_not_recorded(
    host: Host, write_unit: WriteUnit
) -> None:
    unit = write_unit("sleep.service", SLEEP)
    killed = f"""
        import os, signal
        from reconcile.system import Host, HostSettings
        from reconcile.system.services.process import manager
        starting = os.getpid()
        record = manager.record_this_process
        def record_and_kill(*arguments):
            os.kill(starting, signal.SIGKILL)
            record(*arguments)
        manager.record_this_process = record_and_kill
        Host(HostSettings(service_manager="process", state_dir={host.settings.state_dir!r})
             ).services.start({unit!r})
    """

    done = subprocess.run([sys.executable, "-c", textwrap.dedent(killed)])

    assert -signal.SIGKILL == done.returncode
    assert wait_until(lambda: bool(host.services.status(unit).active), timeout_s=60)


@pytest.mark.parametrize("verb", ["enable", "disable"])
def test_nothing_can_be_enabled_where_nothing_boots(
    host: Host, write_unit: WriteUnit, verb: str
) -> None:
    unit = write_unit("sleep.service", SLEEP)
    act: Callable[[str], None] = getattr(host.services, verb)

    with pytest.raises(ReconcileError, match="it starts no services at boot"):
        act(unit)

    assert host.services.status(unit).enabled is None
    assert not host.services.has_boot


@pytest.mark.parametrize("name", ["../etc/passwd", "a b.service", "-x.service", "*.service", ""])
def test_what_is_no_unit_name_is_refused(host: Host, name: str) -> None:
    with pytest.raises(ReconcileError, match="is not a valid unit name"):
        host.services.status(name)


def test_a_rollback_stops_what_was_started(
    host: Host, write_unit: WriteUnit, journal: Journal
) -> None:
    unit = write_unit("sleep.service", SLEEP)
    host.services.start(unit)

    journal.roll_back(host)

    assert not host.services.status(unit).active


def test_a_rollback_starts_what_was_stopped(
    host: Host, write_unit: WriteUnit, journal: Journal
) -> None:
    unit = write_unit("sleep.service", SLEEP)
    host.recorder = None
    host.services.start(unit)
    host.recorder = journal
    host.services.stop(unit)

    journal.roll_back(host)

    assert host.services.status(unit).active


def view_of(folder: Path, **changes: object) -> GunicornParams:
    values: dict[str, object] = {
        "site": "shop",
        "service": "shop.service",
        "socket": None,
        "directory": str(folder),
        "python": sys.executable,
        "module": "app:app",
        "workers": 2,
        "user": None,
        "group": None,
        "bind": f"unix:{folder}/shop.sock",
        "writable": (),
        "umask": 0o027,
        "connecting_user": "root",
    }
    return GunicornParams(**{**values, **changes})  # type: ignore[arg-type]  # a table of fields


def answer_of(socket_path: Path) -> str:
    command = ["curl", "-sS", "--unix-socket", str(socket_path), "http://app/"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_gunicorn_is_up_when_start_returns(host: Host, tmp_path: Path) -> None:
    text, socket = unit_texts(view_of(tmp_path), "process")
    Path(host.services.unit_path("shop.service")).write_text(text)

    host.services.start("shop.service")

    answer = answer_of(tmp_path / "shop.sock")
    assert socket is None
    assert "umask 0027" in answer
    assert 0o770 == (tmp_path / "shop.sock").stat().st_mode & 0o777


def test_a_gunicorn_whose_app_is_broken_does_not_start(host: Host, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import nonsense_that_is_not_there\n")
    text, _ = unit_texts(view_of(tmp_path), "process")
    Path(host.services.unit_path("shop.service")).write_text(text)

    with pytest.raises(ServiceFailed) as failed:
        host.services.start("shop.service")

    assert "No module named 'nonsense_that_is_not_there'" in failed.value.why
    assert not (tmp_path / "shop.sock").exists()


def test_a_reload_of_gunicorn_keeps_the_master(host: Host, tmp_path: Path) -> None:
    text, _ = unit_texts(view_of(tmp_path), "process")
    Path(host.services.unit_path("shop.service")).write_text(text)
    host.services.start("shop.service")
    master = host.services.status("shop.service").main_pid
    assert wait_until(lambda: 2 == len(children(master)), timeout_s=60)
    before = set(children(master))

    host.services.reload("shop.service")

    assert wait_until(
        lambda: len(now := set(children(master))) == 2 and not now & before, timeout_s=60
    )
    assert master == host.services.status("shop.service").main_pid
