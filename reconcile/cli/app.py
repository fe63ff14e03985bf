"""The table of commands."""

from __future__ import annotations

import typer

from reconcile.cli import init, schema, validate

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


app.command("init")(init.init)
app.command("validate")(validate.validate)
app.command("schema")(schema.schema)
