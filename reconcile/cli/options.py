"""Options that several commands share."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from reconcile.cli.completion import complete_address, complete_site
from reconcile.errors import ReconcileError

LOCAL = "reconcile.yaml"
VARIABLE = "RECONCILE_FILE"
SYSTEM = "/etc/reconcile/reconcile.yaml"

File = Annotated[
    str | None,
    typer.Option(
        "--file",
        "-f",
        metavar="FILE",
        help=f"Configuration file; by default ./{LOCAL}, ${VARIABLE} or {SYSTEM}.",
        show_default=False,
    ),
]
Vars = Annotated[
    list[str] | None,
    typer.Option(
        "--var",
        metavar="NAME=VALUE",
        help="The value of a variable of the file's `vars`; repeatable.",
    ),
]
IgnoredFile = Annotated[
    str | None,
    typer.Option("--file", "-f", metavar="FILE", help="Accepted for consistency; ignored."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print nothing unless something differs or fails.")
]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown.")]
Summary = Annotated[bool, typer.Option("--summary", help="Show only the addresses.")]
Full = Annotated[bool, typer.Option("--full", help="Show full contents, and unchanged resources.")]
DetailedExitCode = Annotated[
    bool, typer.Option("--detailed-exitcode", help="Exit with 2 if there are changes.")
]
Sites = Annotated[
    list[str] | None,
    typer.Option(
        "--site",
        metavar="NAME",
        help="Only this site; repeatable.",
        autocompletion=complete_site,
    ),
]
Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="REF",
        help="Only this address or pattern, and what it depends on; repeatable.",
        autocompletion=complete_address,
    ),
]
Excludes = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="REF",
        help="Skip this address or pattern; repeatable.",
        autocompletion=complete_address,
    ),
]
AutoApprove = Annotated[bool, typer.Option("--auto-approve", help="Do not ask for confirmation.")]
MaxDeletes = Annotated[
    int | None,
    typer.Option(
        "--max-deletes",
        metavar="N",
        min=0,
        help="Refuse a plan that deletes more than N resources and files inside of them.",
    ),
]
Heal = Annotated[bool, typer.Option("--heal", help="Revert drift; never apply pending changes.")]
MetricsFile = Annotated[
    str | None,
    typer.Option("--metrics-file", metavar="FILE", help="Write Prometheus metrics to FILE."),
]
LockTimeout = Annotated[
    float,
    typer.Option(
        "--lock-timeout",
        metavar="SECONDS",
        min=0,
        help="How long to wait for another apply to finish; by default not at all.",
        show_default=False,
    ),
]


def variables_of(given: list[str] | None) -> dict[str, str]:
    """Names and values of --var. Errors: ReconcileError where one has no `=`."""
    pairs = [text.partition("=") for text in given or ()]
    for name, equals, _ in pairs:
        if not equals or not name:
            raise ReconcileError(
                what=f"--var {name} is not a variable and its value",
                why="it has no = between them" if name else "it has no name",
                fix="Write --var NAME=VALUE. Nothing was changed.",
            )
    return {name: value for name, _, value in pairs}


def config_file(given: str | None) -> str:
    """The configuration file to use. Errors: ReconcileError where there is none."""
    path = find_config_file(given)
    if path is not None:
        return path
    raise ReconcileError(
        "No configuration file found",
        f"neither ./{LOCAL} nor {SYSTEM} exists, and {VARIABLE} is not set",
        "Use -f FILE, or create one with `reconcile init`.",
    )


def find_config_file(given: str | None = None) -> str | None:
    """The file given with -f, else the first of the default places that exists, else None.

    A file that $RECONCILE_FILE names is returned even if it does not exist.
    """
    if given is not None:
        return given
    if os.path.exists(LOCAL):
        return LOCAL
    return os.environ.get(VARIABLE) or (SYSTEM if os.path.exists(SYSTEM) else None)


def require_single_format(**given: bool) -> None:
    """Errors: ReconcileError where more than one of these output options was given."""
    names = [f"--{name}" for name, is_given in given.items() if is_given]
    if len(names) > 1:
        what = f"{' and '.join(names[:2])} are mutually exclusive"
        raise ReconcileError(what, "", "Use one of them.")
