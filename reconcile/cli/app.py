"""The table of commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module

import typer

# Each is the function, or the group, of that name in the module of that name, as --help lists it.
COMMANDS = (
    "init",
    "adopt",
    "validate",
    "plan",
    "apply",
    "verify",
    "drift",
    "pull",
    "schedule",
    "doctor",
    "explain",
    "rollback",
    "history",
    "state",
    "graph",
    "schema",
    "demo",
)


def app_for(arguments: Sequence[str]) -> typer.Typer:
    """The command line with the one command that `arguments` begin with, else with all."""
    app = typer.Typer(
        help="Desired state for web apps behind Nginx and Gunicorn: plan, apply, verify.",
        no_args_is_help=True,
        # Rich would double the time of --help.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_reconcile)
    named = tuple(arguments[:1])
    for name in named if named and named[0] in COMMANDS else COMMANDS:
        _add(app, name, getattr(import_module(f"reconcile.cli.{name}"), name))
    return app


def _add(app: typer.Typer, name: str, command: typer.Typer | Callable[..., int]) -> None:
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=name)
    else:
        app.command(name)(command)


def _reconcile(
    version: bool = typer.Option(False, "--version", "-V", help="Print the version."),
) -> None:
    """Answered before the command line is read; here for --help."""
