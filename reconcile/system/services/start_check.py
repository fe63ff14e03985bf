"""Try the checks that precede a unit's start (ExecStartPre=) while its old process still runs.

A restart stops the old process first: code that cannot be imported, or an environment file
without what it needs, would take the service down, and no rollback could bring the old one back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from reconcile.system.services import ServiceFailed
from reconcile.system.services.unit_files import UNIT_DIRECTORIES

RUNTIME_FOLDER = UNIT_DIRECTORIES[1]
_LEFT_OUT = (
    # What belongs to the process that runs, such as its folder below /run, must not be touched.
    r"Type|Exec\w+|Restart\w*|KillMode|RuntimeDirectory\w*|Timeout\w+|PIDFile|NotifyAccess"
    r"|Sockets|WatchdogSec|RemainAfterExit|BusName"
)
_TIMEOUT = "TimeoutStartSec=60s"


def check_name(unit: str) -> str:
    """The unit that runs the checks of `unit`."""
    return f"reconcile-check-{unit}"


def check_text(text: str, dropins: Iterable[str]) -> str:
    """The unit that runs the checks of the unit file `text` as its drop-ins want; "" for none."""
    own = [*_settings(text)]
    checks = [f"ExecStart={value}" for name, value in own if name == "ExecStartPre" and value]
    if not checks:
        return ""
    more = (setting for dropin in dropins for setting in _settings(dropin))
    kept = (f"{name}={value}" for name, value in (*own, *more) if not re.fullmatch(_LEFT_OUT, name))
    return "\n".join(("[Service]", "Type=oneshot", _TIMEOUT, *kept, *checks, ""))


def _settings(text: str) -> Iterator[tuple[str, str]]:
    """The settings of the [Service] section."""
    section = ""
    for line in map(str.strip, text.replace("\\\n", " ").splitlines()):
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and line[0] not in "#;":
            name, _, value = line.partition("=")
            yield name.strip(), value.strip()


def check_failed(unit: str, log_text: str) -> ServiceFailed:
    """The error of a unit whose old process runs on."""
    return ServiceFailed(
        what=f"{unit} was not restarted: it fails the check before its start",
        why=log_text or "it logged nothing",
        fix="Fix this error, then apply again. The old process runs on.",
    )
