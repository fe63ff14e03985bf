"""`reconcile schedule`: drift checks, or self-healing ones, while nobody looks."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from reconcile.cli.options import File, Json, chosen_file, opened, opened_records
from reconcile.cli.terminal import now, show
from reconcile.errors import ExitCode, ReconcileError

if TYPE_CHECKING:
    from reconcile.gitops.schedule import Schedule
    from reconcile.output.documents import ScheduleDocument
    from reconcile.workspace import Workspace

schedule = typer.Typer(
    help="Check for drift regularly, by a systemd timer or cron.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
NOTIFY = "notify"


@schedule.command("install")
def install(
    file: File = None,
    every: Annotated[
        str,
        typer.Option(
            "--every", metavar="TIME", help="hourly, daily, or as systemd has it: *:0/15."
        ),
    ] = "hourly",
    heal: Annotated[
        bool, typer.Option("--heal", help="Mend what drifted; never what is pending.")
    ] = False,
    metrics_file: Annotated[
        str | None,
        typer.Option("--metrics-file", metavar="FILE", help="Have each check write metrics."),
    ] = None,
    notify: Annotated[
        list[str] | None,
        typer.Option("--notify", metavar="URL", help="Have changes told there (Apprise)."),
    ] = None,
    delay: Annotated[
        int,
        typer.Option(
            "--delay", metavar="SECONDS", min=0, help="Begin up to so much later, at random."
        ),
    ] = 300,
    json: Json = False,
) -> int:
    """Have this host compared with its YAML regularly."""
    from reconcile.gitops import schedule as texts
    from reconcile.system import timers

    workspace = opened(file)
    _refuse_unprivileged(workspace)
    if timers.has_systemd():
        timers.refuse_unknown_time(workspace.host, every)
    path = os.path.abspath(chosen_file(file))
    made = _schedule(workspace, path, every, metrics_file, notify or [], heal=heal, delay_s=delay)
    if timers.has_systemd():
        timers.install(workspace.host, made.units, texts.HEADER, texts.TIMER)
        told = f"Installed {texts.TIMER}: {every}, up to {delay} s later."
    else:
        timers.put(texts.CRON_FILE, made.cron, texts.HEADER)
        told = f"Installed {texts.CRON_FILE}: {every}."
    show(_document(workspace) if json else told)
    return ExitCode.OK


@schedule.command("remove")
def remove(file: File = None, json: Json = False) -> int:
    """Take the timer or the cron file back."""
    from reconcile.gitops import schedule as texts
    from reconcile.system import timers

    workspace = opened_records(file)
    _refuse_unprivileged(workspace)
    gone = timers.drop(texts.CRON_FILE, texts.HEADER)
    if timers.has_systemd():
        units = (texts.TIMER, texts.SERVICE)
        gone |= timers.remove(workspace.host, units, texts.HEADER, texts.TIMER)
    workspace.host.state.remove(NOTIFY)
    told = "Removed." if gone else "Nothing was scheduled here."
    show(_document(workspace) if json else told)
    return ExitCode.OK


@schedule.command("status")
def status(file: File = None, json: Json = False) -> int:
    """Tell when it ran, what it found, and when it runs next."""
    from reconcile.output.schedule import schedule_text

    workspace = opened_records(file)
    show(_document(workspace) if json else schedule_text(_status(workspace)))
    return ExitCode.OK


def _document(workspace: Workspace) -> str:
    from reconcile.output.json import dumped

    return dumped(_status(workspace))


def _status(workspace: Workspace) -> ScheduleDocument:
    from reconcile.gitops import schedule as texts
    from reconcile.gitops.memory import recall
    from reconcile.output.schedule import schedule_document
    from reconcile.system import timers

    memory, _ = recall(workspace.host.state)
    by, following = "", ""
    if timers.exists(texts.CRON_FILE):
        by = texts.CRON_FILE
    if timers.has_systemd():
        properties = ("ActiveState", "NextElapseUSecRealtime")
        said = timers.shown(workspace.host, texts.TIMER, *properties)
        if said.get("ActiveState") == "active":
            by, following = texts.TIMER, texts.in_utc(said.get("NextElapseUSecRealtime", ""))
    return schedule_document(
        workspace.host.name,
        by,
        following,
        memory.last_run,
        memory.last_state,
        memory.last_success,
        now=now(),
    )


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
    from secrets import randbelow

    from reconcile.gitops.schedule import Schedule, checked

    # Isolated: neither the environment nor a working directory brings in any code.
    command = [sys.executable, "-I", "-m", "reconcile", "drift", "--quiet", "-f", path]
    writes = [workspace.host.state.make()]
    if metrics_file is not None:
        command += ["--metrics-file", os.path.abspath(metrics_file)]
        writes.append(os.path.dirname(os.path.abspath(metrics_file)))
    if notify:
        command += ["--notify", f"@{_kept(workspace, notify)}"]
    if heal:
        command.append("--heal")
    parts = checked(command, every)
    return Schedule(parts, every, checked(writes, every), heal, delay_s, randbelow(60))


def _kept(workspace: Workspace, notify: list[str]) -> str:
    """A file of ours with the URLs: a unit file and a command line are read by everyone."""
    state = workspace.host.state
    state.write(NOTIFY, "".join(f"{url}\n" for url in notify).encode())
    return state.path_of(NOTIFY)


def _refuse_unprivileged(workspace: Workspace) -> None:
    if not workspace.host.privileged:
        raise ReconcileError("Only root can schedule checks of a host", "", "Run it with sudo.")
