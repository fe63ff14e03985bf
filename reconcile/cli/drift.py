"""`reconcile drift`: the plan and the probes, for cron and CI; changes nothing without --heal."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Annotated

import typer

from reconcile.cli.drift_actions import Notifications, record_and_notify, revert_drift, with_healed
from reconcile.cli.options import (
    File,
    Heal,
    Json,
    Markdown,
    MetricsFile,
    Quiet,
    Vars,
    config_file,
    require_single_format,
)
from reconcile.cli.progress_line import file_progress
from reconcile.cli.read_only_guard import ReadOnlyGuard
from reconcile.cli.run_reading import RunReading, apply_command
from reconcile.cli.terminal import now, show, style
from reconcile.cli.workspaces import open_workspace
from reconcile.engine.host_hold import exit_code_under
from reconcile.errors import ExitCode
from reconcile.output.json import drift_document, to_json
from reconcile.output.markdown import drift_markdown
from reconcile.output.text import drift_text
from reconcile.system import Host
from reconcile.workspace.applying import reason_to_wait
from reconcile.workspace.checking import check_drift


def drift(
    file: File = None,
    var: Vars = None,
    json: Json = False,
    markdown: Markdown = False,
    quiet: Quiet = False,
    metrics_file: MetricsFile = None,
    notify: Annotated[
        list[str] | None,
        typer.Option(
            "--notify",
            metavar="URL",
            help="Notify this Apprise URL when the state changes; @FILE reads URLs from FILE.",
        ),
    ] = None,
    remind: Annotated[
        str,
        typer.Option(
            "--remind", metavar="DURATION", help="Repeat an unchanged notification after this long."
        ),
    ] = "1d",
    heal: Heal = False,
    readings: Annotated[
        str | None,
        typer.Option(
            "--readings",
            metavar="DIR",
            help="Write the result to DIR for collectors, without contents or secrets.",
        ),
    ] = None,
) -> int:
    """Check that the host still matches the YAML and responds.

    For cron and CI. Takes no lock, and changes nothing without --heal.

    \b
    Examples:
      reconcile drift --quiet
      reconcile drift --heal --notify @/etc/reconcile/notify

    \b
    Exit codes:
      0  the host matches and responds
      1  error, or something could not be read
      2  drift or pending changes
      3  HTTP checks failed
      6  a hold or an unconfirmed apply kept --heal from reverting
    """
    require_single_format(json=json, markdown=markdown)
    notifications = Notifications.from_options(notify or (), remind)
    reading, read_only = _reading(readings, file, heal=heal), ReadOnlyGuard()
    with reading.of_failure(Host()) if reading else nullcontext():
        workspace = open_workspace(file, var)
        with file_progress(workspace.host, json=json):
            found = read_only(lambda: check_drift(workspace))
        report = revert_drift(workspace, found) if heal else None
        if report is not None:
            found = with_healed(read_only(lambda: check_drift(workspace.refreshed())), report)
    failed = report.exit_code(detailed=False) if report else ExitCode.OK
    recorded = record_and_notify(workspace, found, metrics_file, notifications)
    code = failed or found.exit_code or recorded
    if heal:
        code = exit_code_under(reason_to_wait(workspace.host.state), code)
    if reading:
        reading.leave(workspace, found, code)
    if not quiet or code or found.healed:
        if json:
            noted = replace(found, plan=read_only.with_note(found.plan))
            show(to_json(drift_document(noted, now=now(), exit_code=code)))
        else:
            show(drift_markdown(found) if markdown else drift_text(found, style()))
            read_only.print_note()
    return code


def _reading(directory: str | None, file: str | None, *, heal: bool) -> RunReading | None:
    """What to leave for collectors, if anything."""
    if directory is None:
        return None
    return RunReading(directory, "heal" if heal else "drift", apply_command(config_file(file)))
