"""The table of commands."""

from __future__ import annotations

import typer

from reconcile.cli import (
    apply,
    demo,
    drift,
    graph,
    history,
    init,
    plan,
    rollback,
    schema,
    validate,
    verify,
)

app = typer.Typer(
    help="Desired state for web apps behind Nginx and Gunicorn: plan, apply, verify.",
    no_args_is_help=True,
    # Rich would double the time of --help.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _reconcile(
    version: bool = typer.Option(False, "--version", "-V", help="Print the version."),
) -> None:
    """Answered before the command line is read; here for --help."""


for command in (
    init.init,
    validate.validate,
    plan.plan,
    apply.apply,
    verify.verify,
    drift.drift,
    rollback.rollback,
    history.history,
    graph.graph,
    schema.schema,
    demo.demo,
):
    app.command(command.__name__)(command)
