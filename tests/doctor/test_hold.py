"""The note on a hold."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rules import hold
from reconcile.engine.host_hold import Hold, new_hold, write_hold
from reconcile.system import Host, HostSettings


def test_hold_is_reported_with_its_reason(tmp_path: Path) -> None:
    host = Host(HostSettings(service_manager="process", state_dir=str(tmp_path)))
    assert [] == list(hold.check(HostInspection(host)))

    write_hold(host.state, new_hold("ann", "migrating", None, datetime.now(UTC)))

    [finding] = hold.check(HostInspection(host))
    assert "note" == finding.severity
    assert "ann has held this host since " in finding.evidence[0]  # type: ignore[union-attr]
    assert "migrating" in finding.evidence[0]  # type: ignore[union-attr]


def test_hold_is_silent_once_it_has_expired(tmp_path: Path) -> None:
    host = Host(HostSettings(service_manager="process", state_dir=str(tmp_path)))

    write_hold(host.state, Hold("ann", "gone", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"))

    assert [] == list(hold.check(HostInspection(host)))
