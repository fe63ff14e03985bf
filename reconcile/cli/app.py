"""The table of commands: `--help` is read from it, and only the command that runs is imported."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from reconcile.cli.option_values import take_text_as_typed

# Name → summary, in the order of --help. Each is the function, or the group, of that name in the
# module of that name.
COMMANDS = {
    "init": "Write a commented reconcile.yaml for the app in this folder.",
    "adopt": "Write the existing setup of this host as a reconcile.yaml.",
    "validate": "Validate the YAML and list all its errors.",
    "plan": "Show what apply would change; change nothing.",
    "apply": "Apply the YAML to this host; roll back on failure.",
    "verify": "Run HTTP checks and print a checklist for each site.",
    "drift": "Check that the host still matches the YAML and responds.",
    "pull": "Fetch a signed Git revision, then plan, check or apply it.",
    "schedule": "Run drift checks periodically, by a systemd timer or cron.",
    "doctor": "Diagnose problems on this host and suggest fixes.",
    "report": "Write one static page about one or many hosts.",
    "explain": "Show which server, location and file answer a URL.",
    "rollback": "Undo the last apply, or one that was interrupted.",
    "hold": "Show, set or release a hold, which blocks every apply here.",
    "confirm": "Keep what `apply --confirm` would otherwise roll back.",
    "history": "List who applied what and when, with the result.",
    "state": "Show and edit the ledger of managed resources.",
    "render": "Print the files that the YAML generates, without a host.",
    "fleet": "Plan, apply and check many hosts from one.",
    "graph": "Print the dependency graph as DOT or Mermaid.",
    "schema": "Print the JSON Schema of the YAML or of a command's output.",
    "demo": "Run a complete example in a temporary folder, without root.",
}
EPILOG = """\b
Exit codes:
  0  success, or nothing to do
  1  error
  2  changes or drift found
  3  verification failed
  4  another apply is running
  5  the saved plan is stale
  6  a hold is in force

Get started: reconcile init, then reconcile plan, then reconcile apply.
"""


class LazyGroup(TyperGroup):
    """A group that lists every command and imports the one that is called."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As Typer, whose own options are here by now."""
        take_text_as_typed(self, ctx)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Name, command and remaining arguments, as Typer's own, which suggests near names."""
        name, stub, rest = super().resolve_command(ctx, args)
        command = stub and load_command(stub.name or "")
        if command:
            take_text_as_typed(command, ctx)
        return name, command, rest


def create_app() -> typer.Typer:
    """The command line, with a stub for each command."""
    app = typer.Typer(
        cls=LazyGroup,
        help="Desired state for web apps behind Nginx and Gunicorn: plan, apply, verify.",
        epilog=EPILOG,
        invoke_without_command=True,
        # Rich would double the time of --help.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_reconcile)
    for name, summary in COMMANDS.items():
        app.command(name, help=summary)(_stub)
    return app


def load_command(name: str) -> Any:
    """The command of that name, imported."""
    target = getattr(import_module(f"reconcile.cli.{name}"), name)
    if isinstance(target, typer.Typer):
        app = target
    else:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name)(target)
    command = get_command(app)
    _add_common_options(command)
    _hide_argument_types(command)
    return command


def _add_common_options(command: Any) -> None:
    """Add -v and --log-json to `command`, or to all commands of a group; --files beside -f."""
    for part in getattr(command, "commands", {}).values():
        _add_common_options(part)
    if getattr(command, "invoke_without_command", True):
        if any(parameter.name == "file" for parameter in command.params):
            command.params += _parameters(_files_option)
        command.params += _parameters(_log_options)


def _hide_argument_types(command: Any) -> None:
    """Typer shows them as in Python, as list[str], which means nothing to users."""
    for part in (command, *getattr(command, "commands", {}).values()):
        for parameter in part.params:
            if parameter.param_type_name == "argument":
                parameter.display_type_rich = lambda ctx: None  # noqa: ARG005


def _parameters(options: Callable[..., None]) -> list[Any]:
    app = typer.Typer(add_completion=False)
    app.command()(options)
    return list(get_command(app).params)


def _use_files(context: typer.Context, tar: str | None) -> None:
    # Imports the loader, which groups do without.
    from reconcile.cli.standard_input import use_files

    use_files(tar, context.with_resource)


def _start_logging(parameter: typer.CallbackParam, given: bool) -> None:
    if given:
        # Imports logging, which nothing else needs.
        from reconcile.cli.log_output import start_logging

        start_logging(as_json=parameter.name == "log_json")


def _files_option(
    packed: str | None = typer.Option(
        None,
        "--files",
        metavar="TAR",
        help="With -f -: a tar archive of the files that the YAML names.",
        callback=_use_files,
        expose_value=False,
    ),
) -> None:
    """The option that every command with -f has; never called."""


def _log_options(
    verbose: bool = typer.Option(
        False,
        *("--verbose", "-v"),
        help="Log each reading and effect to stderr.",
        callback=_start_logging,
        expose_value=False,
    ),
    log_json: bool = typer.Option(
        False,
        "--log-json",
        help="The same log as JSON, one object per line.",
        callback=_start_logging,
        expose_value=False,
    ),
) -> None:
    """The options that every command has; never called."""


def _reconcile(
    context: typer.Context,
    _version: bool = typer.Option(False, "--version", "-V", help="Print the version."),
) -> None:
    """Show, without a command, the help and what to do next on this host.

    `_version` is listed for --help; main() answers it before it reads the command line.
    """
    if context.invoked_subcommand is None:
        # Reads nginx's configuration, which no command needs here.
        from reconcile.cli.next_step import next_step

        typer.echo(f"{context.get_help()}\n\n{next_step()}")


def _stub() -> None:
    """Never called: LazyGroup replaces it."""
