"""The whole of it on this machine: several hosts, each below a folder of its own, by @local."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reconcile.system.processes import wait_until
from tests.support.command import COMMAND

pytestmark = pytest.mark.process

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/fleet.schema.json").read_text())
NGINX = "pid {root}/pid;\nevents {{}}\nhttp {{ include {root}/conf.d/*.conf; }}\n"
SITE = """\
version: 1
vars: {root: /nowhere}
host:
  service_manager: process
  state_dir: "${var.root}/state"
  nginx: {config: "${var.root}/nginx.conf"}
paths:
  FOLDER/shared.txt: {source: ./app/a.txt}
"""
# Runs reconcile, after what a host is to do instead.
PROGRAM = """\
#!/bin/sh
yaml=$(cat)
root=$(printf '%s\\n' "$yaml" | sed -n 's/^vars: {root: "\\(.*\\)"}$/\\1/p')
[ -f "$root/behaviour" ] && . "$root/behaviour"
printf '%s\\n' "$yaml" | PYTHON -m reconcile "$@"
"""


class Hosts:
    """A fleet below a folder; each host has a file of its own, whose path is in its YAML."""

    def __init__(self, folder: Path, names: Iterable[str], rollout: str, more: str = "") -> None:
        self.folder, self.names = folder, tuple(names)
        (folder / "hosts/app").mkdir(parents=True)
        (folder / "tmp").mkdir()
        self.write_source("one")
        program = folder / "program"
        program.write_text(PROGRAM.replace("PYTHON", sys.executable))
        program.chmod(0o755)
        for name in names:
            (folder / name / "conf.d").mkdir(parents=True)
            (folder / name / "nginx.conf").write_text(NGINX.format(root=folder / name))
            yaml = SITE.replace("FOLDER", f"{folder}/{name}/out")
            (folder / f"hosts/{name}.yaml").write_text(yaml)
        lines = [f"  {name}: {{local: true, vars: {{root: {folder}/{name}}}}}" for name in names]
        (folder / "fleet.yaml").write_text(
            "\n".join(
                (
                    "version: 1",
                    "hosts:",
                    *lines,
                    more,
                    "config: ./hosts/{host}.yaml",
                    f"install: {{command: {program}}}",
                    f"rollout: {rollout}\n",
                )
            )
        )

    def write_source(self, content: str) -> None:
        (self.folder / "hosts/app/a.txt").write_text(content)

    def behave(self, name: str, shell: str) -> None:
        (self.folder / name / "behaviour").write_text(shell)

    def content(self, name: str) -> str | None:
        path = self.folder / name / "out/shared.txt"
        return path.read_text() if path.exists() else None

    def left_behind(self) -> list[str]:
        """What the fleet left on the hosts."""
        return os.listdir(self.folder / "tmp")

    def applies(self, name: str) -> int:
        """How many applies the host's history has."""
        done = self.run("history", "--json", "-f", f"{self.folder}/{name}.yaml")
        return len(json.loads(done.stdout)["entries"])

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "TMPDIR": f"{self.folder}/tmp",
            },
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        with self.start(*arguments) as process:
            output, errors = process.communicate(timeout=590)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def fleet(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Exit code and JSON of a command of the fleet."""
        done = self.run("fleet", *arguments, "--json")
        document = json.loads(done.stdout)
        jsonschema.validate(document, SCHEMA)
        return done.returncode, document

    def states(self, document: dict[str, Any]) -> dict[str, str]:
        return {name: host["state"] for name, host in document["hosts"].items()}


def test_plans_are_saved_applied_in_steps_and_refused_where_stale(tmp_path: Path) -> None:
    off = "  off: {ssh: user@127.0.0.1:1}"
    hosts = Hosts(tmp_path, "abc", "{order: [1, 2]}", more=off)
    (tmp_path / "hosts/off.yaml").write_text("version: 1\n")

    code, planned = hosts.fleet("plan", "--out", "plans")
    (tmp_path / "b/out").mkdir()
    applied_code, applied = hosts.fleet("apply", "plans")
    again = hosts.run("fleet", "apply", "plans")

    assert (1, 1) == (code, applied_code)
    assert {"a": "drift", "b": "drift", "c": "drift", "off": "unreachable"} == hosts.states(planned)
    assert (4, 0, 3, 1) == tuple(
        planned["summary"][key] for key in ("hosts", "in_sync", "drift", "unreachable")
    )
    assert {"a": "applied", "b": "stale", "c": "applied", "off": "unreachable"} == (
        hosts.states(applied)
    )
    assert ["one", None, "one"] == [hosts.content(name) for name in "abc"]
    assert [1, 2, 3] == [applied["hosts"][name]["step"] for name in "abc"]
    assert (1, True) == (again.returncode, "--resume" in again.stderr)
    assert [] == hosts.left_behind()


def test_a_failure_stops_the_rest(tmp_path: Path) -> None:
    hosts = Hosts(tmp_path, "abc", "{order: [1, 100%], stop: {failed: 1}}")
    hosts.fleet("plan", "--out", "plans")
    answer = '{"type": "summary", "result": "rolled_back"}'
    hosts.behave("a", f"[ \"$1\" = apply ] && {{ echo '{answer}'; exit 3; }}")

    code, document = hosts.fleet("apply", "plans")

    assert 6 == code
    assert {"a": "failed", "b": "skipped", "c": "skipped"} == hosts.states(document)
    assert "1 host failed; the limit is 1" == document["stopped_by"]
    assert [None, None] == [hosts.content(name) for name in "bc"]


def test_files_that_changed_after_the_plan_make_it_stale(tmp_path: Path) -> None:
    hosts = Hosts(tmp_path, "a", "{}")
    hosts.fleet("plan", "--out", "plans")

    hosts.write_source("two")
    source = hosts.fleet("apply", "plans")
    (tmp_path / "fleet.yaml").write_text((tmp_path / "fleet.yaml").read_text() + "# other\n")
    fleet = hosts.run("fleet", "apply", "plans")

    assert (5, {"a": "stale"}) == (source[0], hosts.states(source[1]))
    assert (5, True) == (fleet.returncode, "has changed since they were made" in fleet.stderr)


def test_a_killed_controller_goes_on_where_it_ended(tmp_path: Path) -> None:
    hosts = Hosts(tmp_path, "ab", "{order: [1, 1]}")
    hosts.fleet("plan", "--out", "plans")
    hosts.behave("a", f'[ "$1" = apply ] && touch {tmp_path}/began && sleep 1')

    with hosts.start("fleet", "apply", "plans") as controller:
        wait_until((tmp_path / "began").exists, timeout_s=300)
        os.kill(controller.pid, signal.SIGKILL)
    code, document = hosts.fleet("apply", "plans", "--resume")

    assert (0, {"applied"}) == (code, set(hosts.states(document).values())), document
    assert ["one"] * 2 == [hosts.content(name) for name in "ab"]
    for name in "ab":
        (tmp_path / f"{name}.yaml").write_text(
            f"version: 1\nhost: {{service_manager: process, state_dir: {tmp_path}/{name}/state}}\n"
        )
    assert [] == hosts.left_behind()
    assert [1, 1] == [hosts.applies(name) for name in "ab"]


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(5))
def test_a_controller_that_is_killed_again_and_again_applies_each_plan_once(
    tmp_path: Path, seed: int
) -> None:
    hosts, moments = Hosts(tmp_path, "abc", "{order: [1, 2]}"), random.Random(seed)
    hosts.fleet("plan", "--out", "plans")

    for attempt in range(4):
        with hosts.start("fleet", "apply", "plans", *["--resume"][:attempt]) as controller:
            time.sleep(moments.uniform(0.3, 4))
            controller.kill()
    code, document = hosts.fleet("apply", "plans", "--resume")

    assert (0, {"applied"}) == (code, set(hosts.states(document).values())), document
    assert ["one"] * 3 == [hosts.content(name) for name in "abc"]
    for name in "abc":
        (tmp_path / f"{name}.yaml").write_text(
            f"version: 1\nhost: {{service_manager: process, state_dir: {tmp_path}/{name}/state}}\n"
        )
    assert [1, 1, 1] == [hosts.applies(name) for name in "abc"]


def test_a_host_that_sends_anything_else_is_unknown(tmp_path: Path) -> None:
    hosts = Hosts(tmp_path, "abcd", "{timeout: 10s}")
    hosts.behave("a", "head -c 50000000 /dev/zero | tr '\\0' x; exit 0")
    hosts.behave("b", "printf '\\033[2J\\n'; exit 0")
    hosts.behave("c", 'echo \'{"format_version": "2.0"}\'; exit 0')
    hosts.behave("d", 'while [ "$1" = drift ]; do printf x; sleep 0.2; done')

    code, document = hosts.fleet("drift")

    assert (1, {"unknown"}) == (code, set(hosts.states(document).values()))
    assert document["hosts"]["d"]["elapsed_s"] < 60
    assert "format 2.0" in document["hosts"]["c"]["problem"]


def test_an_inventory_of_pyinfra_and_a_limit_choose_hosts(tmp_path: Path) -> None:
    hosts = Hosts(tmp_path, "a", "{}")
    (tmp_path / "inventory.py").write_text(
        f"canary = [('@local', {{'vars': {{'root': '{tmp_path}/a'}}}})]\n"
        "others = [('web-2', {'ssh_hostname': '127.0.0.1', 'ssh_port': 1})]\n"
    )
    (tmp_path / "fleet.yaml").write_text(
        "version: 1\ninventory: ./inventory.py\nconfig: ./hosts/a.yaml\n"
        f"install: {{command: {tmp_path}/program}}\n"
    )

    code, document = hosts.fleet("plan", "--limit", "canary", "--detailed-exitcode")
    none = hosts.run("fleet", "plan", "--limit", "cnary")
    status = hosts.run("fleet", "status", "--limit", "canary", "--html", "page.html")

    assert (2, {"@local": "drift"}) == (code, hosts.states(document))
    assert (0, True) == (status.returncode, "@local  never applied" in status.stdout)
    assert "@local" in (tmp_path / "page.html").read_text()
    assert (1, True) == (none.returncode, "--limit cnary chooses no host" in none.stderr)


def test_equal_plans_are_shown_once_with_their_hosts(tmp_path: Path) -> None:
    hosts = Hosts(tmp_path, "ab", "{}")
    for name in "ab":
        (tmp_path / f"hosts/{name}.yaml").write_text(SITE.replace("FOLDER", f"{tmp_path}/both"))

    done = hosts.run("fleet", "plan")

    assert 0 == done.returncode
    assert 1 == done.stdout.count(f"+ file:{tmp_path}/both/shared.txt"), done.stdout
    assert "2 hosts: a, b" in done.stdout
    assert "2 hosts: 0 in sync, 2 to change." in done.stdout
