"""What is missing is named with the command that adds it to this installation."""

from __future__ import annotations

import sys
from importlib import util

import pytest

from reconcile import extras

IN_PIP = "/opt/reconcile/lib/python3.11/site-packages/reconcile/extras.py"
IN_FILE = "/var/lib/reconcile/program/reconcile_1/site-packages/reconcile/extras.py"


def installed(
    patch: pytest.MonkeyPatch, prefix: str, place: str = IN_PIP, *, has_pip: bool = True
) -> str:
    """The command for an installation at that place."""
    patch.setattr(sys, "prefix", prefix)
    patch.setattr(sys, "base_prefix", "/usr")
    patch.setattr(sys, "executable", f"{prefix}/bin/python3")
    patch.setattr(extras, "__file__", place)
    patch.setattr(extras, "find_spec", lambda name: util.find_spec("sys") if has_pip else None)
    return extras.how_to_add("fleet")


def test_an_environment_gets_it_by_its_own_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    found = installed(monkeypatch, "/opt/reconcile")

    assert found.endswith("/opt/reconcile/bin/python3 -m pip install 'reconcile-host[fleet]'")


def test_an_environment_of_uv_has_no_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    found = installed(monkeypatch, "/opt/uv/reconcile-host", has_pip=False)

    assert "uv pip install --python /opt/uv/reconcile-host/bin/python3 'reconcile-host[" in found


@pytest.mark.parametrize(("prefix", "place"), [(extras.DEBIAN_PACKAGE, IN_PIP), ("/usr", IN_FILE)])
def test_what_came_as_a_whole_is_not_added_to(
    monkeypatch: pytest.MonkeyPatch, prefix: str, place: str
) -> None:
    found = installed(monkeypatch, prefix, place)

    assert "Neither the Debian package nor the single file has it." in found
    assert "env/bin/pip install '.[fleet]'" in found
