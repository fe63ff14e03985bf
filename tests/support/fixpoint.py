"""After every successful apply of a test, a plan of a process of its own is empty."""

from __future__ import annotations

from collections.abc import Sequence

VALUED = ("--site", "--target", "--exclude", "--file", "-f", "--var")
"""The options of `apply` that decide what is planned."""


def plan_after(arguments: Sequence[str], exit_code: int) -> tuple[str, ...]:
    """The `plan` that must find nothing after `apply ARGUMENTS`; () where there is none to run.

    A saved plan names its own file and selection, so nothing follows it.
    """
    if tuple(arguments[:1]) != ("apply",) or exit_code or not _is_approved(arguments):
        return ()
    pairs = zip(arguments, (*arguments[1:], ""), strict=True)
    kept = (word for option, value in pairs if option in VALUED for word in (option, value))
    return ("plan", "--detailed-exitcode", *kept)


def _is_approved(arguments: Sequence[str]) -> bool:
    return "--auto-approve" in arguments
