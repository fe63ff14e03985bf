"""How many names a long look has looked at, whoever of its readers did."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.filesystem import parallel
from reconcile.filesystem.parallel import ProgressCounter
from reconcile.filesystem.permissions import PermissionPolicy
from reconcile.filesystem.sync.sync_diff import SyncRequest
from reconcile.system import Host
from tests.support.sync import sync

pytestmark = pytest.mark.process

FOLDERS, FILES = 40, 150
NAMES = FOLDERS * (FILES + 1)
RULE = PermissionPolicy(0, 0, 0o644, 0o755)


@pytest.fixture
def tree(site: Path) -> Path:
    """More than one reader would be given, in folders to be shared out."""
    for folder in range(FOLDERS):
        (site / "tree" / str(folder)).mkdir(parents=True)
        for file in range(FILES):
            (site / "tree" / str(folder) / f"{file}.jpg").touch()
    return site / "tree"


@pytest.fixture(autouse=True)
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "worker_count", lambda: 2)
    assert NAMES > parallel.SERIAL_BELOW


def test_every_name_of_a_tree_counts_once(host: Host, tree: Path) -> None:
    host.scan_progress = ProgressCounter()

    scan = host.files.scan(str(tree), RULE)

    assert (FOLDERS * FILES, FOLDERS) == (scan.files, scan.directories)
    assert NAMES == host.scan_progress.total


def test_every_name_of_a_source_and_of_its_copy_counts_once(
    host: Host, tree: Path, site: Path
) -> None:
    order = SyncRequest(str(tree), str(site / "copy"), RULE)
    (site / "copy").mkdir()
    sync(host, order)
    host.scan_progress = ProgressCounter()

    survey = host.files.diff(order)

    assert 0 == survey.difference_count
    assert 2 * NAMES == host.scan_progress.total


def test_without_a_listener_nothing_is_counted(host: Host, tree: Path) -> None:
    assert host.files.scan(str(tree), RULE).files == FOLDERS * FILES
    assert host.scan_progress is None
