"""A service is restarted when the code or the environment of its process changed, and only then."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from reconcile.engine.digest import digest
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import ChangedSincePlan
from reconcile.filesystem.undo import from_json
from reconcile.resources.service import Service
from reconcile.system import Host
from reconcile.system.planned_host import PlannedHost
from reconcile.system.services import waiting
from reconcile.system.services.service_undo import ActiveBefore, UnitFileBefore
from tests.support.process_manager import Journal, WriteUnit
from tests.support.wait import wait_for

pytestmark = pytest.mark.process

UNIT = "app.service"
LOOP = """
import os, time
open("{log}", "a").write(os.environ.get("WHO", "nobody") + " ")
time.sleep(999)
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """The folder of an app that notes what it was started with."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text(LOOP.format(log=tmp_path / "log"))
    return tmp_path / "code"


@pytest.fixture
def service(host: Host, code: Path, write_unit: WriteUnit, tmp_path: Path) -> Service:
    """The service of that app, running."""
    (tmp_path / "app.env").write_text("WHO=one\n")
    write_unit(
        UNIT, f"ExecStart=/usr/bin/python3 {code}/app.py", f"EnvironmentFile={tmp_path}/app.env"
    )
    text = Path(host.services.unit_path(UNIT)).read_bytes()
    service = Service(unit=UNIT, active=True, runs=digest(text), code=(), code_folder=str(code))
    apply(host, service)
    return service


def apply(host: Host, service: Service) -> Service:
    """Apply it, as it was observed right before; return what is left."""
    before = service.observe(host)
    service.apply(host, before)
    left = service.observe(host)
    assert left is not None
    return left


def changes(host: Host, service: Service) -> list[str]:
    observed = service.observe(host)
    assert observed is not None
    return list(observed.display()["code"])


def pid(host: Host) -> int:
    return host.services.status(UNIT).main_pid


def forget_record(host: Host) -> None:
    """As if somebody else had started the process."""
    host.state.remove(f"started/{UNIT}.code.json")


def test_code_that_did_not_change_restarts_nothing(
    host: Host, service: Service, code: Path
) -> None:
    before = pid(host)
    (code / "__pycache__").mkdir()
    (code / "__pycache__" / "app.pyc").write_bytes(b"x")
    os.utime(code / "app.py")
    (code / "app.py").chmod(0o600)

    left = apply(host, service)

    assert () == left.code
    assert before == pid(host)


def test_changed_code_is_listed_and_the_service_restarted(
    host: Host, service: Service, code: Path
) -> None:
    before = pid(host)
    (code / "app.py").write_text((code / "app.py").read_text() + "# new\n")
    (code / "new.py").write_text("")

    listed = changes(host, service)
    left = apply(host, service)

    assert ["app.py: changed", "new.py: added"] == listed
    assert () == left.code
    assert before != pid(host)


def test_code_that_was_changed_and_restored_restarts_nothing(
    host: Host, service: Service, code: Path
) -> None:
    text = (code / "app.py").read_text()
    (code / "app.py").write_text("broken")
    (code / "app.py").unlink()
    (code / "app.py").write_text(text)

    assert [] == changes(host, service)


def test_removed_code_is_a_change(host: Host, service: Service, code: Path) -> None:
    (code / "app.py").unlink()

    assert ["app.py: removed"] == changes(host, service)


def test_what_somebody_else_started_is_compared_by_the_times(
    host: Host, service: Service, code: Path
) -> None:
    forget_record(host)
    unchanged = changes(host, service)
    (code / "app.py").write_text((code / "app.py").read_text() + "# new\n")

    assert [] == unchanged
    assert ["app.py: changed"] == changes(host, service)


def test_an_apply_remembers_what_somebody_else_started(
    host: Host, service: Service, code: Path
) -> None:
    forget_record(host)

    service.before_apply(host)

    (code / "app.py").chmod(0o600)
    assert [] == changes(host, service)


def test_an_apply_remembers_no_code_that_the_process_may_not_run(
    host: Host, service: Service, code: Path
) -> None:
    forget_record(host)
    (code / "app.py").write_text("new")

    service.before_apply(host)

    assert ["app.py: changed"] == changes(host, service)


def test_reading_writes_nothing(host: Host, service: Service, code: Path) -> None:
    forget_record(host)

    changes(host, service)

    assert not host.state.exists(f"started/{UNIT}.code.json")


def test_a_folder_that_does_not_exist_is_reported(host: Host, service: Service) -> None:
    mistaken = replace(service, code_folder="/srv/nowhere").observe(host)

    assert mistaken is not None
    assert [("code-missing", "warning")] == [(f.rule, f.severity) for f in mistaken.findings()]


def test_planned_code_is_a_change(host: Host, service: Service, code: Path) -> None:
    world = PlannedHost(host)
    world.files.plan(f"{code}/app.py", b"planned")

    assert ["app.py: changed"] == changes(world, service)


def test_code_that_moves_on_after_the_plan_ends_the_apply(
    host: Host, service: Service, code: Path
) -> None:
    (code / "app.py").write_text("planned")
    planned = service.observe(host)
    (code / "app.py").write_text("moved on")
    before = pid(host)

    with pytest.raises(ChangedSincePlan, match=r"app\.py"):
        service.apply(host, planned)

    assert before == pid(host)


def test_a_service_that_was_restarted_meanwhile_is_not_restarted_again(
    host: Host, service: Service, code: Path
) -> None:
    (code / "app.py").write_text((code / "app.py").read_text() + "# new\n")
    planned = service.observe(host)
    host.services.restart(UNIT)
    before = pid(host)

    service.apply(host, planned)

    assert before == pid(host)


def test_an_environment_that_fails_the_check_does_not_end_the_old_process(
    host: Host, service: Service, write_unit: WriteUnit, code: Path, tmp_path: Path
) -> None:
    (tmp_path / "check.py").write_text("import os; raise SystemExit(os.environ['WHO'] == 'bad')")
    write_unit(
        UNIT,
        f"ExecStartPre=/usr/bin/python3 {tmp_path}/check.py",
        f"ExecStart=/usr/bin/python3 {code}/app.py",
        f"EnvironmentFile={tmp_path}/app.env",
    )
    text = Path(host.services.unit_path(UNIT)).read_bytes()
    service = replace(service, runs=digest(text), has_managed_unit=True)
    apply(host, service)
    before = pid(host)
    (tmp_path / "app.env").write_text("WHO=bad\n")

    with pytest.raises(ReconcileError, match="fails the check before its start"):
        apply(host, service)

    assert before == pid(host)
    (tmp_path / "app.env").write_text("WHO=two\n")
    apply(host, service)
    assert before != pid(host)


def test_a_rollback_reports_that_new_code_cannot_be_undone(
    host: Host,
    service: Service,
    code: Path,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # On a busy machine Python takes longer to begin than a program usually has to end.
    monkeypatch.setattr(waiting, "STEADY_S", 10)
    (code / "app.py").write_text("raise SystemExit('broken')")

    with pytest.raises(ReconcileError, match="does not stay active"):
        service.apply(host, service.observe(host))
    host.recorder = None
    notes = [from_json(record).undo(host) for record in journal.records]

    assert 1 == len(notes)
    assert f"{UNIT} does not run" in notes[0]
    assert f"put that back in {code}" in notes[0]


def test_a_rollback_leaves_new_code_running_and_reports_that(
    host: Host, service: Service, code: Path, journal: Journal
) -> None:
    (code / "app.py").write_text((code / "app.py").read_text() + "# new\n")
    service.apply(host, service.observe(host))
    host.recorder, before = None, pid(host)

    notes = [from_json(record).undo(host) for record in journal.records]

    assert [f"{UNIT} runs on with its new code"] == [note.partition(":")[0] for note in notes]
    assert before == pid(host)


def test_variables_of_the_environment_file_reach_the_process(
    host: Host, service: Service, tmp_path: Path
) -> None:
    before, log = pid(host), tmp_path / "log"
    wait_for(lambda: log.exists() and log.read_text(), "the first process")
    (tmp_path / "app.env").write_text("# who\nWHO=two\n")

    observed = service.observe(host)
    left = apply(host, service)

    assert observed is not None
    assert service.runs != observed.runs
    assert service.runs == left.runs
    assert before != pid(host)
    wait_for(lambda: log.read_text() == "one two ", "the second process")


def test_an_environment_file_that_is_absent_is_reported(
    host: Host, service: Service, tmp_path: Path
) -> None:
    (tmp_path / "app.env").unlink()

    with pytest.raises(ReconcileError) as failed:
        host.services.restart(UNIT)

    assert "app.env does not exist" in failed.value.why


def test_new_code_that_fails_its_check_leaves_the_old_process_running(
    host: Host, service: Service, code: Path, write_unit: WriteUnit, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    checked = f"ExecStartPre=/usr/bin/python3 -m py_compile {code}/app.py"
    write_unit(UNIT, checked, f"ExecStart=/usr/bin/python3 {code}/app.py")
    text = Path(host.services.unit_path(UNIT)).read_bytes()
    service = replace(service, runs=digest(text), has_managed_unit=True)
    apply(host, service)
    wait_for(lambda: log.exists() and "nobody" in log.read_text(), "the second process")
    before = pid(host)
    (code / "app.py").write_text("def broken(:\n")

    with pytest.raises(ReconcileError) as failed:
        service.apply(host, service.observe(host))

    assert "SyntaxError" in failed.value.why
    assert before == pid(host)


@pytest.mark.parametrize("was_active", [True, False], ids=["restarted", "stopped"])
def test_a_service_that_its_restored_files_do_not_start_is_reported_and_blocks_nothing(
    host: Host, service: Service, code: Path, write_unit: WriteUnit, was_active: bool
) -> None:
    status = host.services.status(UNIT)
    host.services.stop(UNIT)
    # A check that ends before the start does: however slow the machine is, it has failed then.
    (code / "check.py").write_text("raise SystemExit('its database is gone')")
    check = f"ExecStartPre=/usr/bin/python3 {code}/check.py"
    write_unit(UNIT, check, f"ExecStart=/usr/bin/python3 {code}/app.py")
    before = UnitFileBefore(UNIT, True, status.main_pid, status.started_at)

    note = (before if was_active else ActiveBefore(UNIT, True)).undo(host)

    assert note.startswith(f"{UNIT} does not run with its restored files: ")
    assert "its database is gone" in note
    assert "Remove the cause, then apply again." in note
