"""The kinds unit and service where the services are processes of ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reconcile.engine.digest import digest
from reconcile.engine.resource import Resource
from reconcile.errors import ReconcileError
from reconcile.resources.gunicorn_params import GunicornParams
from reconcile.resources.gunicorn_units import unit_texts
from reconcile.resources.service import Service
from reconcile.resources.unit import Unit
from reconcile.system import Host
from reconcile.system.processes import identity, wait_until
from tests.support.completed import completed
from tests.support.process_manager import Journal

pytestmark = pytest.mark.process

Declare = Callable[..., list[Resource]]


@pytest.fixture
def declared(host: Host, tmp_path: Path) -> Declare:
    """The unit and the service of the app in the test's folder."""

    def declare(**changes: object) -> list[Resource]:
        values: dict[str, object] = {
            "site": "shop",
            "service": "shop.service",
            "socket": None,
            "directory": str(tmp_path),
            "python": sys.executable,
            "module": "app:app",
            "workers": 1,
            "user": None,
            "group": None,
            "bind": f"unix:{tmp_path}/shop.sock",
            "writable": (),
            "umask": 0o022,
            "connecting_user": "root",
        }
        view = GunicornParams(**{**values, **changes})  # type: ignore[arg-type]  # a table of fields
        text, _ = unit_texts(view, "process")
        unit = Unit(path=host.services.unit_path("shop.service"), content=text)
        return [unit, Service(unit="shop.service", active=True, runs=digest(text.encode()))]

    return declare


def put(host: Host, resources: list[Resource]) -> None:
    for resource in resources:
        before = resource.observe(host)
        if before is None or resource.managed().items() - before.managed().items():
            completed(resource, before, host).apply(host, before)


def left(host: Host, resources: list[Resource]) -> list[tuple[str, str]]:
    """Kind and field of everything that is not as declared."""
    return [
        (resource.kind, field)
        for resource in resources
        for field, value in resource.managed().items()
        if (observed := resource.observe(host)) is None or value != getattr(observed, field)
    ]


def answer(folder: Path) -> str:
    command = ["curl", "-sS", "--unix-socket", f"{folder}/shop.sock", "http://app/"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_what_was_put_is_what_is_observed(host: Host, declared: Declare, tmp_path: Path) -> None:
    put(host, declared())

    assert [] == left(host, declared())
    assert "umask 0022" in answer(tmp_path)


def test_the_folder_of_units_is_made_with_the_first_unit(
    host: Host, declared: Declare, tmp_path: Path
) -> None:
    (tmp_path / "state" / "units").rmdir()

    put(host, declared())

    assert [] == left(host, declared())


def test_a_killed_app_is_a_difference_and_is_started_again(
    host: Host, declared: Declare, tmp_path: Path
) -> None:
    put(host, declared())
    pid = host.services.status("shop.service").main_pid

    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: identity(pid) is None, timeout_s=60)
    observed = left(host, declared())
    put(host, declared())

    assert [("service", "active"), ("service", "runs")] == observed
    assert [] == left(host, declared())
    assert "umask 0022" in answer(tmp_path)


def test_an_edited_unit_is_put_back_and_its_process_runs_on(host: Host, declared: Declare) -> None:
    put(host, declared())
    path = Path(host.services.unit_path("shop.service"))
    pid = host.services.status("shop.service").main_pid

    path.write_text(path.read_text() + "# edited\n")
    observed = left(host, declared())
    put(host, declared())

    assert [("unit", "content")] == observed
    assert [] == left(host, declared())
    assert pid == host.services.status("shop.service").main_pid


def test_another_setting_restarts_the_app(host: Host, declared: Declare, tmp_path: Path) -> None:
    put(host, declared())

    put(host, declared(umask=0o027))

    assert [] == left(host, declared(umask=0o027))
    assert "umask 0027" in answer(tmp_path)


def test_a_second_put_starts_nothing(host: Host, declared: Declare) -> None:
    put(host, declared())
    pid = host.services.status("shop.service").main_pid

    put(host, declared())

    assert pid == host.services.status("shop.service").main_pid


def test_what_is_removed_is_stopped_and_gone(host: Host, declared: Declare) -> None:
    put(host, declared())
    pid = host.services.status("shop.service").main_pid

    for resource in reversed(declared()):
        there = type(resource).from_name(resource.name).observe(host)
        assert there is not None
        assert "" == there.why_not_removable(frozenset())
        there.delete(host)

    assert identity(pid) is None
    assert not Path(host.services.unit_path("shop.service")).exists()


def test_a_unit_that_lost_our_header_is_not_removed(host: Host, declared: Declare) -> None:
    put(host, declared())
    path = Path(host.services.unit_path("shop.service"))
    path.write_text(path.read_text().partition("\n")[2])

    reasons = [
        type(one).from_name(one.name).observe(host).why_not_removable(frozenset())
        for one in declared()
    ]

    assert all(reasons)


def test_a_rollback_takes_a_new_app_away(
    host: Host, declared: Declare, journal: Journal, tmp_path: Path
) -> None:
    put(host, declared())
    pid = host.services.status("shop.service").main_pid

    journal.roll_back(host)

    assert identity(pid) is None
    assert not Path(host.services.unit_path("shop.service")).exists()


def test_a_rollback_brings_the_old_app_back(
    host: Host, declared: Declare, journal: Journal, tmp_path: Path
) -> None:
    host.recorder = None
    put(host, declared())
    host.recorder = journal

    with pytest.raises(ReconcileError):
        put(host, declared(module="nonsense:app"))
    journal.roll_back(host)

    assert [] == left(host, declared())
    assert "umask 0022" in answer(tmp_path)


def test_a_folder_in_the_place_of_a_unit_is_refused(host: Host, declared: Declare) -> None:
    Path(host.services.unit_path("shop.service")).mkdir()

    with pytest.raises(ReconcileError, match="is a directory"):
        declared()[0].observe(host)

    Path(host.services.unit_path("shop.service")).rmdir()
