"""An app with releases on a small host in memory, whose steps are modelled."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconcile.resources import release_build
from reconcile.system import Host
from reconcile.system.step_run import StepRun
from tests.laws.box import Box, Yaml, memory_folder

INTO = "srv/app"
Picture = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def modelled_steps() -> Iterator[None]:
    """Steps leave what depends on the source alone."""

    def run(host: Host, step: StepRun) -> bytes:
        made = Path(step.directory, "made")
        made.mkdir(exist_ok=True)
        source = Path(step.directory, "app.js")
        (made / f"{step.number}.js").write_bytes(source.read_bytes() if source.exists() else b"")
        return b"done\n"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(release_build, "run_step", run)
        patch.setattr(release_build, "stop_steps", lambda host, site: None)
        yield


@pytest.fixture(scope="module")
def memory() -> Iterator[str]:
    with memory_folder() as folder:
        yield folder


def a_site(static: dict[str, Any], source: str = "@/src") -> dict[str, Any]:
    gunicorn = {"module": "app:app", "python": "/usr/bin/python3"}
    release = {"source": source, "into": f"@/{INTO}"}
    return {
        "server_names": ["a.test"],
        "app": {"gunicorn": gunicorn, "release": release, "user": "www-data"},
        "locations": {"/static/": {"role": "static", "dir": "@/www/static", **static}},
    }


def picture_of(box: Box) -> Picture:
    """The host, without the folders of releases: a rollback and a later one keep them."""
    return {
        name: facts
        for name, facts in box.picture().items()
        if not f"{INTO}/releases".startswith(name) and not name.startswith(f"{INTO}/releases/")
    }


def refuse_halves(box: Box, yaml: Yaml) -> None:
    """One release runs, and is the one that the link and nginx name."""
    running = {unit for unit in box.systemd.run if unit.startswith("gunicorn-a")}
    if not yaml["sites"]:
        assert set() == running
        return
    link = os.readlink(box.path(f"{INTO}/current"))
    name = os.path.basename(link)
    assert {f"gunicorn-a-{name}.service", f"gunicorn-a-{name}.socket"} == running
    assert f"gunicorn-a-{name}.sock" in Path(box.path("nginx/sites-enabled/a.conf")).read_text()
    assert not os.path.exists(f"{link}/.incomplete")
    kept = os.listdir(box.path(f"{INTO}/releases"))
    most = max(yaml["sites"]["a"]["app"]["release"].get("keep", 5), 2)
    assert name in kept
    assert len(kept) <= most, f"more than {most} are kept: {kept}"
