"""What an apply refuses that has to be confirmed, and what its unit looks like."""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import Any

import pytest

from reconcile.config.load import load_bytes
from reconcile.engine.apply_report import Report
from reconcile.engine.confirmation import NAME
from reconcile.engine.model import Change, Plan
from reconcile.errors import ReconcileError
from reconcile.gitops.confirm_unit import confirm_unit
from reconcile.resources.file import File
from reconcile.system import Host, HostSettings
from reconcile.system.program import own_program
from reconcile.workspace import Workspace
from reconcile.workspace.confirming import apply_until_confirmed, confirm


class Migration(File):
    """A file that stands for a step that no rollback undoes."""

    def irreversible_steps(self) -> tuple[str, ...]:
        """A migration."""
        return ("flask db upgrade",)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    settings = HostSettings(service_manager="process", state_dir=str(tmp_path / "state"))
    return Workspace(load_bytes(b"version: 1", "reconcile.yaml"), Host(settings))


def plan(resource: File) -> Plan:
    return Plan("h", (Change(resource.ref, None, resource),), "")


def never() -> Report:
    raise AssertionError("it was applied")


@pytest.mark.parametrize(
    ("resource", "why"),
    [
        (Migration(path="/a", content=b""), "no rollback undoes flask db upgrade"),
        (File(path="/a", content=b""), "only a systemd unit can roll back"),
    ],
)
def test_what_could_not_be_rolled_back_is_refused_before_anything_is_written(
    workspace: Workspace, resource: File, why: str
) -> None:
    with pytest.raises(ReconcileError, match=why):
        apply_until_confirmed(workspace, plan(resource), "reconcile apply", 300, never)

    assert not workspace.host.state.exists(NAME)


def test_without_an_apply_there_is_nothing_to_confirm(workspace: Workspace) -> None:
    with pytest.raises(ReconcileError, match="none was made with --confirm"):
        confirm(workspace.host)


def test_the_unit_survives_failures_and_reboots() -> None:
    parser: Any = configparser.ConfigParser()
    parser.read_string(confirm_unit((*own_program(), "confirm"), "/var/lib/reconcile"))

    assert "on-failure" == parser["Service"]["Restart"]
    assert "0" == parser["Unit"]["StartLimitIntervalSec"]
    assert "/var/lib/reconcile" in parser["Unit"]["RequiresMountsFor"]
    assert "multi-user.target" == parser["Install"]["WantedBy"]
