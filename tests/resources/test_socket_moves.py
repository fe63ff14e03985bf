"""Nginx finds no socket while that of a service moves: the plan warns of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.engine.model import Finding
from reconcile.resources.gunicorn_units import HEADER
from reconcile.resources.unit import Unit
from reconcile.system import Host

TEXT = "[Socket]\nListenStream={}\nSocketMode=0660\n"


def findings(folder: Path, before: str, after: str) -> tuple[Finding, ...]:
    path = folder / "web.socket"
    path.write_text(before)
    observed = Unit(path=str(path), content=after).observe(Host())
    assert observed is not None
    return observed.findings()


def test_a_socket_that_moves_is_a_warning_that_names_the_way_without_a_gap(tmp_path: Path) -> None:
    [found] = findings(tmp_path, TEXT.format("/run/a.sock"), TEXT.format("/run/b.sock"))

    assert ("socket-moves", "warning") == (found.rule, found.severity)
    assert "web.socket leaves /run/a.sock" in found.what
    assert "another `service`" in found.fix


SERVICE = f"{HEADER}\n[Service]\nExecStart=/v/python -m gunicorn --workers 3{{}} app:app\n"


@pytest.mark.parametrize(
    ("before", "after", "left"),
    [
        (" --bind 127.0.0.1:8000", " --bind 127.0.0.1:8001", "127.0.0.1:8000"),
        (' --bind "unix:/run/a b.sock"', " --bind unix:/run/b.sock", "/run/a b.sock"),
        (" --bind 127.0.0.1:8000", "", "127.0.0.1:8000"),
        ("", " --bind 127.0.0.1:8000", "its socket"),
    ],
)
def test_so_is_a_service_that_listens_elsewhere_by_itself(
    before: str, after: str, left: str, tmp_path: Path
) -> None:
    [found] = findings(tmp_path, SERVICE.format(before), SERVICE.format(after))

    assert f"web.socket leaves {left}: until Nginx is reloaded" in found.what


def test_a_service_whose_options_change_leaves_nothing(tmp_path: Path) -> None:
    bound = SERVICE.format(" --bind 127.0.0.1:8000")

    assert () == findings(tmp_path, bound, bound.replace("workers 3", "workers 5"))
    assert () == findings(tmp_path, bound, "")


@pytest.mark.parametrize("before", [TEXT.format("/run/b.sock"), "[Socket]\nListenStream=8000\n"])
def test_any_other_change_is_no_move(tmp_path: Path, before: str) -> None:
    after = TEXT.format("/run/b.sock").replace("0660", "0600")

    assert () == findings(tmp_path, before, after)
