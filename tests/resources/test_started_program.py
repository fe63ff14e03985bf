"""A unit whose program is missing is refused before anything is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from reconcile.engine.model import Change
from reconcile.engine.resource import Resource
from reconcile.resources.assets import Assets
from reconcile.resources.gunicorn_units import unit_texts
from reconcile.resources.service_units import ServiceParams, service_text
from reconcile.resources.started_program import ProgramMissing
from reconcile.resources.unit import Unit
from reconcile.system import Host
from reconcile.system.planned_host import PlannedHost
from tests.resources.test_gunicorn_units import VIEW

UNIT = "/etc/systemd/system/shop.service"


@pytest.fixture
def environment(site: Path) -> Path:
    """A virtual environment with pip alone."""
    packages = site / "env/lib/python3.11/site-packages"
    (packages / "pip").mkdir(parents=True)
    (packages / "distutils-precedence.pth").write_text("import os\n")
    (site / "env/bin").mkdir()
    (site / "env/bin/python").symlink_to("/bin/sh")
    (site / "env/pyvenv.cfg").write_text("include-system-site-packages = false\n")
    return site / "env"


def gunicorn(place: Path, **changed: object) -> Unit:
    view = replace(VIEW, python=f"{place}/bin/python", **changed)  # type: ignore[arg-type]
    return Unit(path=UNIT, content=unit_texts(view)[0])


def worker(program: Path) -> Unit:
    view = ServiceParams("shop", (str(program), "-m", "shop"), None, "/", 0o022)
    return Unit(path=UNIT, content=service_text(view))


def refused(host: Host, unit: Unit, others: Sequence[Resource] = ()) -> tuple[str, str]:
    """Why a plan that makes the unit is refused, and how that is mended; empty where it is not."""
    changes = [Change(one.ref, None, one) for one in (unit, *others)]
    try:
        unit.preflight(host, changes)
    except ProgramMissing as error:
        return error.why, error.fix
    return "", ""


def test_a_missing_environment_is_reported_with_the_command_that_makes_it(
    host: Host, site: Path
) -> None:
    why, fix = refused(host, gunicorn(site / "env"))

    assert f"{site}/env/bin/python does not exist" == why
    assert f"`python3 -m venv {site}/env && {site}/env/bin/python -m pip install gunicorn`" in fix
    assert fix.endswith("Nothing was changed.")


def test_an_environment_whose_python_was_removed_is_reported(host: Host, environment: Path) -> None:
    (environment / "bin/python").unlink()
    (environment / "bin/python").symlink_to("/usr/bin/python3.0")

    assert "leads to nothing" in refused(host, gunicorn(environment))[0]


def test_a_python_that_is_a_folder_or_not_executable_is_reported(
    host: Host, environment: Path
) -> None:
    plain = environment / "bin/plain"
    plain.write_text("")

    assert "is not executable" in refused(host, worker(plain))[0]
    assert "is a directory" in refused(host, worker(environment / "bin"))[0]


def test_an_environment_without_gunicorn_is_reported(host: Host, environment: Path) -> None:
    why, fix = refused(host, gunicorn(environment))

    assert f"Gunicorn is not installed in {environment}" == why
    assert f"`{environment}/bin/python -m pip install gunicorn`" in fix


@pytest.mark.parametrize(
    "name", ["gunicorn", "gunicorn-23.0.0.dist-info", "gunicorn.py", "__editable__.gunicorn.pth"]
)
def test_gunicorn_may_be_installed_in_any_way(host: Host, environment: Path, name: str) -> None:
    (environment / "lib/python3.11/site-packages" / name).write_text("")

    assert ("", "") == refused(host, gunicorn(environment))


def test_gunicorn_may_come_from_elsewhere(host: Host, environment: Path, site: Path) -> None:
    file = site / "app.env"
    file.write_text("PYTHONPATH=/opt/packages\n")
    by_file = gunicorn(environment, environment_file=str(file))
    by_name = gunicorn(environment, environment=(("PYTHONPATH", "/opt/packages"),))

    assert [("", "")] * 2 == [refused(host, unit) for unit in (by_file, by_name)]

    (environment / "pyvenv.cfg").write_text("include-system-site-packages = true\n")

    assert ("", "") == refused(host, gunicorn(environment))


def test_a_python_of_the_system_is_not_searched(host: Host, site: Path) -> None:
    (site / "python3").symlink_to("/bin/sh")

    assert ("", "") == refused(
        host, Unit(path=UNIT, content=unit_texts(VIEW)[0].replace(VIEW.python, f"{site}/python3"))
    )


def test_a_program_that_the_plan_brings_is_not_missing(host: Host, site: Path) -> None:
    unit = worker(site / "tools/worker")
    world = PlannedHost(host)
    world.files.plan(f"{site}/tools/worker", b"#!/bin/sh\n")

    assert ("", "") == refused(world, unit)
    assert ("", "") == refused(host, unit, [Assets(path=f"{site}/tools", source="/srv/tools")])
    assert "does not exist" in refused(host, unit)[0]


def test_a_unit_that_is_not_to_be_started_is_not_examined(host: Host, site: Path) -> None:
    gunicorn(site / "env").preflight(host, [])
