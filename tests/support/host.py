"""A host whose state lies in a folder of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.system import Host, HostSettings
from tests.support.recorder import MemoryRecorder, recording


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(HostSettings(service_manager="process", state_dir=str(tmp_path / "state")))


@pytest.fixture
def recorder(host: Host) -> MemoryRecorder:
    """A recorder at work on `host`."""
    return recording(host)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """An empty folder that only root may write."""
    site = tmp_path / "site"
    site.mkdir(mode=0o755)
    return site
