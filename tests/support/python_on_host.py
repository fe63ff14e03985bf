"""Run lines of Python with our own code inside a booted host."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from tests.lab import DebianHost

PRELUDE = """
import dataclasses, json, sys
from reconcile.errors import ReconcileError
from reconcile.system import Host, HostSettings
from reconcile.filesystem.undo import from_json, to_json

class Journal:
    id, keep_dir = "7-test", "/var/lib/keep"
    def __init__(self):
        self.records = []
    def record_undo(self, *undos):
        self.records.extend(to_json(one) for one in undos)
    def roll_back(self, host):
        host.recorder = None
        undos = [from_json(record) for record in self.records]
        late = sorted((one for one in undos if one.stage), key=lambda one: one.stage)
        return [note for one in [*[u for u in reversed(undos) if not u.stage], *late]
                if (note := one.undo(host))]

values = json.load(sys.stdin)
host = Host(HostSettings(**{"service_manager": "systemd", **values.pop("settings", {})}))
services = host.services
globals().update(values)

def body():
"""
EPILOGUE = """
try:
    answer = {"answer": body()}
except ReconcileError as error:
    answer = {"error": [error.what, error.why, error.fix]}
print(json.dumps(answer, default=dataclasses.asdict))
"""


class RefusedError(Exception):
    """A ReconcileError inside the host."""

    def __init__(self, what: str, why: str, fix: str) -> None:
        super().__init__(what)
        self.what, self.why, self.fix = what, why, fix


def inside(host: DebianHost, code: str, *, user: str | None = None, **values: object) -> Any:
    """What `code`, the body of a function, returns there; it knows `host` and `services`.

    `settings` are those of the Host, all other values are names that `code` knows.
    """
    body = textwrap.indent(textwrap.dedent(code), "    ")
    program = f"{PRELUDE}{body}\n{EPILOGUE}"
    python = ("/opt/reconcile/bin/python", "-I", "-c", program)
    reported = json.loads(host.run(*python, input=json.dumps(values).encode(), user=user).stdout)
    if "error" in reported:
        raise RefusedError(*reported["error"])
    return reported["answer"]
