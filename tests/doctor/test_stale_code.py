"""The rule about code that changed under a running process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from reconcile.doctor.config_view import Declaration, WatchedCode
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rules.stale_code import RULE
from reconcile.engine.model import Finding
from reconcile.filesystem.code.code_scope import CodeScope
from reconcile.system import Host, HostSettings
from reconcile.system.services import UnitStatus

UNIT = "shop.service"


def findings(folder: Path, status: UnitStatus) -> Sequence[object]:
    """What the rule yields for a unit of that state, whose code lies in `folder`."""
    host = Host(HostSettings(state_dir=str(folder / "state")))
    host.services.status = lambda _: status  # type: ignore[method-assign]
    watched = WatchedCode("shop", UNIT, CodeScope(str(folder)), "reconcile.yaml:7")
    return [*RULE.check(HostInspection(host, Declaration(watched=(watched,))))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text("old")
    return tmp_path


def running(folder: Path, seconds: float) -> UnitStatus:
    """The state of a unit that started so many seconds after its code was written."""
    written = (folder / "app.py").stat().st_ctime
    return UnitStatus(UNIT, loaded=True, active=True, started_at=written + seconds)


def test_stale_code_reports_what_changed_since_the_start(folder: Path) -> None:
    [finding] = findings(folder, running(folder, -60))

    assert isinstance(finding, Finding)
    assert ("warning", True) == (finding.severity, finding.apply_fixes)
    assert "app.py (changed)" in finding.evidence[0]


def test_stale_code_is_silent_where_nothing_changed(folder: Path) -> None:
    assert [] == findings(folder, running(folder, 60))


def test_stale_code_is_silent_for_a_service_that_does_not_run(folder: Path) -> None:
    assert [] == findings(folder, UnitStatus(UNIT, loaded=True, active=False))
