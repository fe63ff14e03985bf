"""A worker beside the web process: started, restarted for new code, rolled back, stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command import Run

pytestmark = pytest.mark.process

NGINX = "pid {0}/nginx.pid;\nevents {{}}\nhttp {{ include {0}/conf.d/*.conf; }}\n"
HEAD = (
    "version: 1\n"
    "host: {{service_manager: process, state_dir: {0}/state, nginx: {{config: {0}/nginx.conf}}}}\n"
    "paths: {{{0}/kept: {{content: x}}}}\n"
)
WORKER = (
    "services: {{w: {{command: [/usr/bin/python3, {0}/code/w.py], code: {0}/code, user: root}}}}\n"
)
APPLY = ("apply", "--auto-approve", "--lock-timeout", "60")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A host without sites, and the code of a worker."""
    (tmp_path / "code").mkdir()
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "nginx.conf").write_text(NGINX.format(tmp_path))
    (tmp_path / "code" / "w.py").write_text("import time\ntime.sleep(900)\n")
    (tmp_path / "reconcile.yaml").write_text((HEAD + WORKER).format(tmp_path))
    return tmp_path


def test_a_worker_follows_its_code_and_its_entry(run: Run, folder: Path) -> None:
    first = run(*APPLY)
    try:
        (folder / "code" / "w.py").write_text("import time\ntime.sleep(901)\n")
        planned = run("plan", "--json")
        restarted = run(*APPLY)
        (folder / "code" / "w.py").write_text("import time\ntime.sleep(1)\nraise OSError('gone')\n")
        failed = run(*APPLY)
        verified = run("verify")
    finally:
        (folder / "reconcile.yaml").write_text(HEAD.format(folder))
        dropped = run(*APPLY)

    assert 0 == first.returncode, first.stderr
    [change] = json.loads(planned.stdout)["resource_changes"]
    assert ("service:w.service", {"code": ["w.py: changed"]}, {"code": []}) == (
        change["address"],
        change["change"]["before"],
        change["change"]["after"],
    )
    assert 0 == restarted.returncode, restarted.stderr
    assert 3 == failed.returncode
    assert "OSError: gone" in failed.stderr
    assert "w.service does not run" in failed.stdout
    assert 3 == verified.returncode
    assert "OSError: gone" in verified.stdout
    assert 0 == dropped.returncode, dropped.stderr
    assert [] == [*(folder / "state" / "units").iterdir(), *(folder / "state/started").iterdir()]
