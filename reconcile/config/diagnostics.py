"""What is wrong with a file, each fault with its place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from reconcile.errors import ReconcileError


class Mark(NamedTuple):
    """A place in the file; line and column count from 1."""

    line: int
    column: int


class Diagnostic(NamedTuple):
    """One fault: where it is, what is wrong, and what would be right (`hint`, may be empty)."""

    file: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.message}{hint}"


class SpecErrors(ReconcileError):
    """The file cannot be used; `diagnostics` holds every fault in it, in the file's order."""

    def __init__(self, file: str, diagnostics: Iterable[Diagnostic]) -> None:
        self.file = file
        self.diagnostics: tuple[Diagnostic, ...] = tuple(sorted(set(diagnostics)))
        count = len(self.diagnostics)
        super().__init__(
            what=f"{file} has {count} {'error' if count == 1 else 'errors'}",
            why="\n".join(map(str, self.diagnostics)),
            fix="Correct the file; `reconcile validate` checks it alone. Nothing was changed.",
        )


def nearest(name: str, known: Sequence[str]) -> str:
    """A hint that names the nearest of `known`, or all of them where none is near."""
    close = closest(name, known)
    return f"did you mean {close}?" if close else all_of(known)


def closest(name: str, known: Sequence[str]) -> str:
    """The one of `known` that `name` is most like, "" where it is like none."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, known, n=1, cutoff=0.6)), "")


def all_of(known: Sequence[str]) -> str:
    """A hint that names all of `known`, "" where that would be a long list."""
    return f"known here: {', '.join(known)}" if 0 < len(known) <= 12 else ""
