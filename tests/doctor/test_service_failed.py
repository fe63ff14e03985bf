"""The rule about workers that do not run and jobs that failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.doctor.config_view import Declaration, DeclaredService
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rules.service_failed import RULE
from reconcile.engine.model import Finding
from reconcile.system import Host, HostSettings
from reconcile.system.services import UnitStatus

UNIT = "shop-worker.service"


def findings(folder: Path, status: UnitStatus, *, is_scheduled: bool = False) -> list[Finding]:
    """What the rule yields for a service of that state."""
    host = Host(HostSettings(state_dir=str(folder)))
    host.services.status = lambda _: status  # type: ignore[method-assign]
    host.services.log_tail = lambda _: "started\nno module named shop"  # type: ignore[method-assign]
    declared = Declaration(services=(DeclaredService(UNIT, is_scheduled, "reconcile.yaml:3"),))
    found = [*RULE.check(HostInspection(host, declared))]
    assert all(isinstance(one, Finding) for one in found)
    return [one for one in found if isinstance(one, Finding)]


def test_service_failed_reports_a_worker_with_the_end_of_its_log(tmp_path: Path) -> None:
    status = UnitStatus(UNIT, loaded=True, active=False, state="failed (exit-code)")

    [finding] = findings(tmp_path, status)

    assert f"{UNIT} does not run." == finding.what
    assert ("reconcile.yaml:3: failed (exit-code)", "started", "no module named shop") == (
        finding.evidence
    )


def test_service_failed_reports_a_job_whose_run_failed(tmp_path: Path) -> None:
    status = UnitStatus(UNIT, loaded=True, active=False, state="failed (exit-code)")

    [finding] = findings(tmp_path, status, is_scheduled=True)

    assert (f"{UNIT} has failed.", False) == (finding.what, finding.apply_fixes)


@pytest.mark.parametrize(
    ("active", "state", "is_scheduled"),
    [(True, "active (running)", False), (False, "inactive (dead)", True)],
)
def test_service_failed_is_silent_about_what_runs_or_waits(
    tmp_path: Path, active: bool, state: str, is_scheduled: bool
) -> None:
    status = UnitStatus(UNIT, loaded=True, active=active, state=state)

    assert [] == findings(tmp_path, status, is_scheduled=is_scheduled)
