"""The units of what runs beside the web process: a service, and with a schedule its timer."""

from __future__ import annotations

from posixpath import basename

from reconcile.dataclass import dataclass
from reconcile.resources.gunicorn_units import (
    HEADER,
    environment_lines,
    quoted,
    sandbox_lines,
    specified,
)


@dataclass(frozen=True)
class ServiceParams:
    """One program, as plain, checked values; `user` None for whoever applies.

    With a `schedule` it runs at those times and ends, without one it runs always.
    `credential`: it gets the environment file as a file that only it can read, too.
    """

    name: str
    command: tuple[str, ...]
    user: str | None
    directory: str
    umask: int
    environment: tuple[tuple[str, str], ...] = ()
    environment_file: str | None = None
    credential: bool = False
    writable: tuple[str, ...] = ()
    schedule: str | None = None


def service_text(view: ServiceParams) -> str:
    """The text of the service unit."""
    return f"""\
{HEADER}
[Unit]
Description={view.name}
After=network.target

[Service]
{_run(view)}\
WorkingDirectory={specified(view.directory)}
{environment_lines(view.environment, view.environment_file)}{_credential(view)}\
UMask={view.umask:04o}
ExecStart={" ".join(map(quoted, view.command))}
KillMode=mixed
TimeoutStopSec=60s

{sandbox_lines((view.directory, view.command[0], *view.writable), view.writable)}
[Install]
WantedBy=multi-user.target
"""


def timer_text(view: ServiceParams) -> str:
    """The text of the timer; a run that was missed while the host was down is made up for."""
    return f"""\
{HEADER}
[Unit]
Description=When {view.name} runs

[Timer]
OnCalendar={view.schedule}
Persistent=yes

[Install]
WantedBy=timers.target
"""


def _run(view: ServiceParams) -> str:
    user = f"User={view.user}\n" if view.user else ""
    if view.schedule:
        return f"Type=oneshot\n{user}"
    # Without pause and limit, a database that is down for a minute would stop it for good.
    return f"Type=exec\n{user}Restart=always\nRestartSec=5s\n"


def _credential(view: ServiceParams) -> str:
    """Source: systemd.exec(5), LoadCredential=."""
    path = view.environment_file
    return f"LoadCredential={basename(path)}:{path}\n" if path and view.credential else ""
