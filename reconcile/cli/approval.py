"""Asking a person, and remembering what was typed."""

from __future__ import annotations

import sys

from reconcile.cli.terminal import interactive, style
from reconcile.errors import ReconcileError


def ask(what: str) -> None:
    """Errors: ReconcileError unless someone is there and types yes."""
    if not interactive():
        raise ReconcileError(
            f"Nobody is there to approve {what}",
            "standard input or output is no terminal",
            "Say --auto-approve where a script decides. Nothing was changed.",
        )
    question = style().bold(f"Only 'yes' approves {what}: ")
    sys.stdout.write(f"\n{question}")
    sys.stdout.flush()
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        sys.stdout.write("\n")
    if answer.strip() != "yes":
        told = what[0].upper() + what[1:]
        raise ReconcileError(f"{told} was not approved, so nothing was changed")


def typed_command() -> str:
    """What was typed, for the history."""
    return " ".join(("reconcile", *sys.argv[1:]))
