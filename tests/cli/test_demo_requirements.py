"""What the demo needs, and what to install where it is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reconcile.cli.demo import app_python, demo_host
from reconcile.errors import ReconcileError


@pytest.fixture
def without_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_python, "find_spec", lambda name: None)
    monkeypatch.setattr(app_python, "SYSTEM_PYTHON", "/nowhere/python3")


@pytest.mark.process
@pytest.mark.usefixtures("without_libraries")
def test_all_that_is_missing_is_installed_by_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_host, "NGINX_PATHS", ("/nowhere/nginx",))

    with pytest.raises(ReconcileError) as raised:
        demo_host.nginx_binary()

    assert "The demo needs nginx and Flask and Gunicorn" == raised.value.what
    expected = "Install them: sudo apt-get install nginx-light gunicorn python3-flask"
    assert expected == raised.value.fix


def test_only_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_host, "NGINX_PATHS", ("/nowhere/nginx",))

    with pytest.raises(ReconcileError, match="The demo needs nginx") as raised:
        demo_host.nginx_binary()

    assert "Install them: sudo apt-get install nginx-light" == raised.value.fix


@pytest.mark.process
def test_the_systems_python_runs_the_app_where_reconciles_own_cannot(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(app_python, "find_spec", lambda name: None)
    system_python = tmp_path / "python3"
    system_python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    system_python.chmod(0o755)
    monkeypatch.setattr(app_python, "SYSTEM_PYTHON", str(system_python))

    found = app_python.find_app_python()

    assert found is not None
    assert str(system_python) == found.path
    assert found.gunicorn.endswith("gunicorn/__init__.py")
