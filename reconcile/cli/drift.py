"""`reconcile drift`: the plan and the probes, for cron and CI; changes nothing unless told to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from reconcile.cli.options import File, Json, Markdown, Quiet, opened, refuse_two_forms
from reconcile.cli.terminal import now, show, style
from reconcile.errors import ExitCode

if TYPE_CHECKING:
    from reconcile.engine.drift_report import Drift


def drift(
    file: File = None,
    json: Json = False,
    markdown: Markdown = False,
    quiet: Quiet = False,
    metrics_file: Annotated[
        str | None,
        typer.Option("--metrics-file", metavar="FILE", help="Write metrics for Prometheus there."),
    ] = None,
    notify: Annotated[
        list[str] | None,
        typer.Option(
            "--notify",
            metavar="URL",
            help="Tell a change of state there (Apprise); @FILE reads URLs from a file.",
        ),
    ] = None,
    remind: Annotated[
        str, typer.Option("--remind", metavar="DURATION", help="Tell the same again after so long.")
    ] = "1d",
    heal: Annotated[
        bool, typer.Option("--heal", help="Mend what drifted; never what is pending.")
    ] = False,
) -> int:
    """Tell whether the host is still as declared, and answers right."""
    from dataclasses import replace

    from reconcile.cli import watch
    from reconcile.cli.counting import counted
    from reconcile.cli.looking import Looking
    from reconcile.workspace.checking import check_drift

    refuse_two_forms(json=json, markdown=markdown)
    notices = watch.Notices.of(notify or (), remind)
    workspace, look = opened(file), Looking()
    report = None
    with counted(workspace.host, json=json):
        seen = look(lambda: check_drift(workspace))
    if heal:
        report = watch.heal(workspace, seen)
    if report is not None:
        seen = watch.mended(look(lambda: check_drift(workspace.refreshed())), report)
    failed = report.exit_code(detailed=False) if report else ExitCode.OK
    followed = watch.follow(workspace, seen, metrics_file, notices)
    code = failed or seen.exit_code or followed
    if not quiet or code or seen.mended:
        if json:
            seen = replace(seen, plan=look.noting(seen.plan))
        show(_document(seen, code) if json else _markdown(seen) if markdown else _text(seen))
        if not json:
            look.tell()
    return code


def _text(seen: Drift) -> str:
    from reconcile.output.text import drift_text

    return drift_text(seen, style())


def _markdown(seen: Drift) -> str:
    from reconcile.output.markdown import drift_markdown

    return drift_markdown(seen)


def _document(seen: Drift, code: int) -> str:
    from reconcile.output.json import drift_document, dumped

    return dumped(drift_document(seen, now=now(), exit_code=code))
