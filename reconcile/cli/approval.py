"""Ask for confirmation, and record what was typed."""

from __future__ import annotations

import sys

from reconcile.cli.terminal import is_interactive, style
from reconcile.errors import ReconcileError


def confirm(what: str) -> None:
    """Return once someone has typed yes. Errors: ReconcileError otherwise."""
    if not is_interactive():
        raise ReconcileError(
            f"Cannot ask to approve {what}: no terminal",
            "standard input or output is not a terminal",
            "Use --auto-approve in scripts. Nothing was changed.",
        )
    question = style().bold(f"Only 'yes' approves {what}: ")
    sys.stdout.write(f"\n{question}")
    sys.stdout.flush()
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        sys.stdout.write("\n")
    if answer.strip() != "yes":
        raise ReconcileError(f"{what[0].upper()}{what[1:]} was not approved; nothing was changed")


def typed_command() -> str:
    """The command line, for the history."""
    return " ".join(("reconcile", *sys.argv[1:]))
