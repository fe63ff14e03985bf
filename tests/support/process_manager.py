"""A sandbox of the process manager in a folder of the test's own, and a recorder in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reconcile.filesystem.undo import Undo, from_json, to_json
from reconcile.system import Host, HostSettings

NGINX = "/usr/sbin/nginx"
APP = """
import os
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    mask = os.umask(0)
    os.umask(mask)
    return [f"pid {os.getpid()} uid {os.getuid()} umask {mask:04o}".encode()]
"""


@dataclass
class Journal:
    """Records as a journal does, through JSON; undone as a rollback does."""

    keep_dir: str
    id: str = "7-test"
    records: list[dict[str, object]] = field(default_factory=list)

    def record_undo(self, *undos: Undo) -> None:
        self.records.extend(to_json(one) for one in undos)

    def roll_back(self, host: Host) -> None:
        host.recorder = None
        undos = [from_json(record) for record in self.records]
        for undo in [one for one in reversed(undos) if not one.stage]:
            assert "" == undo.undo(host)
        for undo in sorted((one for one in undos if one.stage), key=lambda one: one.stage):
            assert "" == undo.undo(host)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A host whose services are processes of ours; all of them are stopped at the end."""
    settings = HostSettings(
        service_manager="process",
        state_dir=str(tmp_path / "state"),
        nginx_config=str(tmp_path / "nginx.conf"),
        nginx_binary=NGINX,
    )
    (tmp_path / "state" / "units").mkdir(parents=True, mode=0o700)
    (tmp_path / "app.py").write_text(APP)
    host = Host(settings)
    yield host
    host.recorder = None
    for path in (tmp_path / "state" / "units").glob("*.service"):
        host.services.stop(path.name)
    if (tmp_path / "nginx.conf").exists():
        host.services.stop("nginx.service")


@pytest.fixture
def journal(host: Host, tmp_path: Path) -> Journal:
    """A journal at work on `host`."""
    (tmp_path / "keep").mkdir(mode=0o700)
    journal = Journal(str(tmp_path / "keep"))
    host.recorder = journal
    return journal


WriteUnit = Callable[..., str]


@pytest.fixture
def write_unit(host: Host) -> WriteUnit:
    """Write a unit file of the sandbox and return its name."""

    def write(name: str, *service: str) -> str:
        text = "\n".join(("[Unit]", "Description=a test", "[Service]", *service, ""))
        Path(host.services.unit_path(name)).write_text(text)
        return name

    return write
