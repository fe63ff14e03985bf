"""What the one module that knows pyinfra relies on, asked of the pyinfra that is installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.process

# In a process of its own: it becomes cooperative.
ASK = """
import json, sys
from reconcile.fleet.cooperative import make_cooperative
make_cooperative()
from pyinfra.api import Inventory
from reconcile.fleet import connections
from reconcile.fleet.connections import Connections, FleetHosts
from reconcile.fleet.rollout import Order, Rollout
from reconcile.fleet.run import run_rollout
from reconcile.fleet.script import HEADER, Call, InstalledProgram, Script
from reconcile.fleet.work import Job

count, parallel = map(int, sys.argv[1:])
SCRIPT = Script(InstalledProgram(), Call(("drift", "--json")), False, 60, False)
connections._keep_quiet()
def host(number):
    work = [HEADER + "version", "reconcile 1.0", HEADER + "code", "2", HEADER + "out",
            json.dumps({"format_version": "1.0", "number": number})]
    data = {"fake_delay": 0.02, "fake_delay_jitter": 0.0,
            "fake_responses": {"drift --json": work}}
    return (f"@fake/h{number}", data)

inventory = Inventory(([host(number) for number in range(count)], {}))
hosts = {one.name: one for one in inventory}
asks = Connections(FleetHosts((), hosts), parallel)
found = {}
def keep(name, answer):
    found[name] = answer
    return answer
run_rollout(Rollout(Order((tuple(hosts),), parallel)), asks,
            lambda name: Job(name, "drift", {"reconcile.yaml": b"x"}, SCRIPT, None, "1.0"), keep)
print(json.dumps({
    "states": sorted({one.state for one in found.values()}),
    "right": all(one.document["number"] == int(name[7:]) for name, one in found.items()),
    "commands": sorted({len(one.connector.executed_commands) for one in hosts.values()}),
    "hosts": len(found),
}))
"""


def ask(count: int, parallel: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(count), str(parallel)],
        capture_output=True,
        text=True,
        timeout=880,
    )
    assert 0 == done.returncode, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_each_host_is_asked_by_one_command_and_answers_for_itself() -> None:
    found = ask(60, 20)

    assert {"states": ["drift"], "right": True, "commands": [1], "hosts": 60} == found


def test_only_one_module_knows_pyinfra() -> None:
    root = Path(__file__).parents[2] / "reconcile"

    knowing = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if "import pyinfra" in (text := path.read_text()) or "from pyinfra" in text
    }

    assert {"fleet/connections.py"} == knowing
