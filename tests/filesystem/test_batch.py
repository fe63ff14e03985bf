"""Many files changed together: what somebody else does meanwhile is not lost."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from reconcile.filesystem.host_error import ChangedSincePlan
from reconcile.filesystem.permissions import PermissionPolicy
from reconcile.filesystem.sync.batch import WriteBatch
from reconcile.filesystem.sync.sync_diff import SyncRequest
from reconcile.system import Host
from tests.support.recorder import MemoryRecorder
from tests.support.sync import sync

pytestmark = pytest.mark.process

RULE = PermissionPolicy(0, 0, 0o644, 0o755)


@pytest.fixture
def shipped(host: Host, site: Path) -> SyncRequest:
    """A source and its copy, that differ by now."""
    (site / "source").mkdir()
    (site / "static").mkdir()
    order = SyncRequest(str(site / "source"), str(site / "static"), RULE, prune=True)
    for name in ("a.css", "b.css"):
        (site / "source" / name).write_bytes(b"old")
    sync(host, order)
    (site / "source/a.css").write_bytes(b"new")
    (site / "source/b.css").unlink()
    return order


def meanwhile(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have somebody else replace `path` when the old inodes have just been kept."""
    flush = WriteBatch._flush_kept

    def flushed(batch: WriteBatch, kept: Collection[str | None], *, many: bool) -> None:
        flush(batch, kept, many=many)
        if kept:
            path.with_name("theirs").write_bytes(b"theirs")
            path.with_name("theirs").rename(path)

    monkeypatch.setattr(WriteBatch, "_flush_kept", flushed)


@pytest.mark.parametrize(
    "name", ["a.css", "c.css"], ids=["in place of the old", "where a new one was to be"]
)
def test_what_somebody_else_puts_there_meanwhile_is_not_written_over(
    host: Host,
    recorder: MemoryRecorder,
    shipped: SyncRequest,
    site: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    (site / "source/c.css").write_bytes(b"new")
    meanwhile(site / "static" / name, monkeypatch)

    with pytest.raises(ChangedSincePlan):
        sync(host, shipped)

    told = recorder.take_back(host)
    assert told[0].startswith(f"{site}/static/{name} has been changed since")
    assert b"theirs" == (site / "static" / name).read_bytes()


def test_one_that_was_to_be_removed_stays(
    host: Host,
    recorder: MemoryRecorder,
    shipped: SyncRequest,
    site: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (site / "source/a.css").write_bytes(b"old")
    meanwhile(site / "static/b.css", monkeypatch)

    with pytest.raises(ChangedSincePlan, match=r"b\.css changed after it was planned"):
        sync(host, shipped)

    assert b"theirs" == (site / "static/b.css").read_bytes()
