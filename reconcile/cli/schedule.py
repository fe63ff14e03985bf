"""`reconcile schedule`: drift checks, with or without --heal, at regular times."""

from __future__ import annotations

import os
import sys
from secrets import randbelow
from typing import Annotated

import typer

from reconcile.cli.options import File, Heal, Json, MetricsFile, config_file
from reconcile.cli.standard_input import require_file
from reconcile.cli.terminal import now, show
from reconcile.cli.workspaces import open_state, open_workspace
from reconcile.errors import ExitCode, ReconcileError
from reconcile.filesystem.user_files import is_trusted_file
from reconcile.gitops.drift_state import load
from reconcile.gitops.readings import missing_group_note, readings_dir, readings_path
from reconcile.gitops.schedule_units import HEADER, Schedule, ScheduleNames, checked_command, to_utc
from reconcile.output.command_documents import ScheduleDocument
from reconcile.output.drift_schedule import schedule_text
from reconcile.output.json import envelope, to_json
from reconcile.system import timers
from reconcile.system.program import own_program
from reconcile.system.program_trust import refuse_open_program
from reconcile.system.services.systemctl import has_systemd
from reconcile.workspace import Workspace

schedule = typer.Typer(
    help="""Run drift checks periodically, by a systemd timer or cron.

    \b
    Examples:
      reconcile schedule install --every hourly
      reconcile schedule status
    """,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
RESULTS = ("1", "2", "3", "6")
"""Exit statuses of a check that ran, and found something."""


@schedule.command("install")
def install(
    file: File = None,
    every: Annotated[
        str,
        typer.Option(
            "--every", metavar="TIME", help="hourly, daily, or a systemd calendar: *:0/15."
        ),
    ] = "hourly",
    heal: Heal = False,
    metrics_file: MetricsFile = None,
    notify: Annotated[
        list[str] | None,
        typer.Option(
            "--notify", metavar="URL", help="Notify this Apprise URL when the state changes."
        ),
    ] = None,
    delay: Annotated[
        int,
        typer.Option(
            "--delay", metavar="SECONDS", min=0, help="Random delay of up to this many seconds."
        ),
    ] = 300,
    json: Json = False,
) -> int:
    """Install a periodic drift check.

    \b
    Example:
      reconcile schedule install --every '*:0/15' --heal

    \b
    Exit codes:
      0  installed
      1  error
    """
    require_file(config_file(file), "A periodic check")
    workspace = open_workspace(file)
    _refuse_unprivileged(workspace)
    refuse_open_program(workspace.host.commands, own_program())
    if has_systemd():
        timers.refuse_unknown_time(workspace.host, every)
    path = os.path.abspath(config_file(file))
    if heal:
        _refuse_editable(workspace, path)
    if metrics_file is not None:
        _refuse_missing_folder(metrics_file)
    made = _schedule(workspace, path, every, metrics_file, notify or [], heal=heal, delay_s=delay)
    if has_systemd():
        timers.install(workspace.host, made.units, HEADER, made.names.timer)
        text = f"Installed {made.names.timer}: {every}, with a random delay of up to {delay} s."
    else:
        timers.write_file(made.names.cron_file, made.cron, HEADER)
        text = f"Installed {made.names.cron_file}: {every}."
    show(_status_json(workspace) if json else text)
    if note := missing_group_note(workspace.host, readings_path(workspace.host)):
        sys.stderr.write(f"Note: {note}\n")
    return ExitCode.OK


@schedule.command("remove")
def remove(file: File = None, json: Json = False) -> int:
    """Remove the periodic drift check.

    \b
    Example:
      reconcile schedule remove

    \b
    Exit codes:
      0  removed, or none was installed
      1  error
    """
    workspace = open_state(file)
    _refuse_unprivileged(workspace)
    names = _schedule_names(workspace)
    removed = timers.remove_file(names.cron_file, HEADER)
    if has_systemd():
        units = (names.timer, names.service)
        removed |= timers.remove(workspace.host, units, HEADER, names.timer)
    workspace.host.state.remove(names.notify)
    text = "Removed." if removed else "No drift check is installed."
    show(_status_json(workspace) if json else text)
    return ExitCode.OK


@schedule.command("status")
def status(file: File = None, json: Json = False) -> int:
    """Show the last and the next run, and the last result.

    \b
    Example:
      reconcile schedule status --json

    \b
    Exit codes:
      0  shown
      1  error
    """
    workspace = open_state(file)
    show(_status_json(workspace) if json else schedule_text(_status(workspace)))
    return ExitCode.OK


def _status_json(workspace: Workspace) -> str:
    return to_json(_status(workspace))


def _schedule_names(workspace: Workspace) -> ScheduleNames:
    return ScheduleNames(workspace.host.settings.scope)


def _status(workspace: Workspace) -> ScheduleDocument:
    names = _schedule_names(workspace)
    memory, _ = load(workspace.host)
    by, next_run, failure = "", "", ""
    if os.path.lexists(names.cron_file):
        by = names.cron_file
    if has_systemd():
        properties = timers.unit_properties(
            workspace.host, names.timer, "ActiveState", "NextElapseUSecRealtime"
        )
        if properties.get("ActiveState") == "active":
            by, next_run = names.timer, to_utc(properties.get("NextElapseUSecRealtime", ""))
            failure = _failure(workspace)
    return ScheduleDocument.of(
        memory,
        **envelope(workspace.host.name, now()),
        installed=bool(by),
        by=by,
        next_run=next_run,
        failure=failure,
        exit_code=ExitCode.OK,
    )


def _failure(workspace: Workspace) -> str:
    """Why the timer's own last run brought no result; "" where it did, or has not been yet."""
    found = timers.unit_properties(
        workspace.host,
        _schedule_names(workspace).service,
        "Result",
        "ExecMainStatus",
        "ExecMainExitTimestamp",
    )
    status, result = found.get("ExecMainStatus", ""), found.get("Result", "")
    if result == "success" or (result == "exit-code" and status in RESULTS):
        return ""
    at = to_utc(found.get("ExecMainExitTimestamp", ""))
    return f"{result}, exit status {status}" + (f", at {at}" if at else "")


def _schedule(
    workspace: Workspace,
    path: str,
    every: str,
    metrics_file: str | None,
    notify: list[str],
    *,
    heal: bool,
    delay_s: int,
) -> Schedule:
    command = [*own_program(), "drift", "--quiet", "-f", path]
    readings = readings_path(workspace.host)
    command += ["--readings", readings]
    writes = [
        workspace.host.state.make_directory(),
        readings_dir(workspace.host, readings).make(),
    ]
    if metrics_file is not None:
        command += ["--metrics-file", os.path.abspath(metrics_file)]
        writes.append(os.path.dirname(os.path.abspath(metrics_file)))
    if notify:
        command += ["--notify", f"@{_store_urls(workspace, notify)}"]
    if heal:
        command.append("--heal")
    parts = checked_command(command, every)
    written = checked_command(writes, every)
    return Schedule(parts, every, written, heal, delay_s, randbelow(60), _schedule_names(workspace))


def _store_urls(workspace: Workspace, notify: list[str]) -> str:
    """A root-only file with the URLs: everyone can read a unit file and a command line."""
    state, name = workspace.host.state, _schedule_names(workspace).notify
    state.write(name, "".join(f"{url}\n" for url in notify).encode())
    return state.path_of(name)


def _refuse_editable(workspace: Workspace, path: str) -> None:
    """A check with --heal applies as root, unattended, what the file declares by then."""
    if is_trusted_file(path):
        return
    place = workspace.host.files.untrusted_above(path)
    raise ReconcileError(
        f"{path} can be edited by other users",
        f"{place[0] if place else path} is not writable by root alone, and --heal applies as root"
        " whatever the file declares",
        "Give the file and the directories above it to root, writable by nobody else"
        " (/etc/reconcile is a good place), or leave out --heal. Nothing was changed.",
    )


def _refuse_missing_folder(metrics_file: str) -> None:
    folder = os.path.dirname(os.path.abspath(metrics_file))
    if not os.path.isdir(folder):
        raise ReconcileError(
            f"The directory {folder} of --metrics-file does not exist",
            "the check could not start: systemd refuses to open a missing directory for writing",
            f"Create it (mkdir -p {folder}), or use another file. Nothing was changed.",
        )


def _refuse_unprivileged(workspace: Workspace) -> None:
    if not workspace.host.privileged:
        raise ReconcileError("Only root can schedule drift checks", "", "Run it with sudo.")
