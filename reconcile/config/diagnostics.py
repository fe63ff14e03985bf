"""The errors of a configuration file, each with its position, and the hints that correct them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from reconcile.config.document import Loc
from reconcile.errors import ReconcileError


class Violation(NamedTuple):
    """A rule that the value at `loc` breaks; `hint` is the correction, or "".

    An independent violation is reported beside any other error; others may only be a
    consequence of one.
    """

    loc: Loc
    message: str
    hint: str = ""
    is_independent: bool = False
    absent: Loc = ()
    """The part that the value needs, where it is missing: an error in it is the cause."""


class Diagnostic(NamedTuple):
    """An error at a position of a file; `hint` is the correction, or ""."""

    file: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.message}{hint}"


class ConfigErrors(ReconcileError):
    """The file is invalid; `diagnostics` holds all of its errors, in the order of the file."""

    def __init__(self, file: str, diagnostics: Iterable[Diagnostic]) -> None:
        self.file = file
        self.diagnostics: tuple[Diagnostic, ...] = tuple(sorted(set(diagnostics)))
        count = len(self.diagnostics)
        super().__init__(
            what=f"{file} has {count} {'error' if count == 1 else 'errors'}",
            why="\n".join(map(str, self.diagnostics)),
            fix="Correct the file, then check it with `reconcile validate`. Nothing was changed.",
        )


def suggest(name: str, known: Sequence[str]) -> str:
    """A hint that names the closest of `known`, or all of them if none is close."""
    match = closest(name, known)
    return f"did you mean {match}?" if match else list_known(known)


def closest(name: str, known: Sequence[str]) -> str:
    """The one of `known` that `name` most resembles, "" if it resembles none."""
    return next(iter(get_close_matches(name, known, n=1, cutoff=0.6)), "")


def list_known(known: Sequence[str]) -> str:
    """A hint that lists `known`, "" if that would be long."""
    return f"use one of: {', '.join(known)}" if 0 < len(known) <= 12 else ""
