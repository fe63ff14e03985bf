"""Looking at the host from where nothing can be written, and saying where that is not to be had."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from reconcile.system.read_only import run_read_only

if TYPE_CHECKING:
    from reconcile.doctor.rule import Diagnosis
    from reconcile.engine.model import Finding, Plan

Seen = TypeVar("Seen")
Told = TypeVar("Told", "Plan", "Diagnosis")


class Looking:
    """How one command looks; it knows afterwards whether the kernel kept it from writing."""

    def __init__(self) -> None:
        self._refused = ""

    def __call__(self, look: Callable[[], Seen]) -> Seen:
        """What `look` returns or raises."""
        return run_read_only(look, self._note)

    def _note(self, why: str) -> None:
        self._refused = why

    def noting(self, found: Told) -> Told:
        """`found` with a note where the kernel refused: for JSON, which has room for it."""
        return replace(found, findings=(*found.findings, *self._findings()))

    def tell(self) -> None:
        """The same on stderr, once: what a person reads stays as it is."""
        from reconcile.cli.terminal import style
        from reconcile.output.text import findings_text

        for line in findings_text(self._findings(), style(sys.stderr)):
            sys.stderr.write(line + "\n")
        self._refused = ""

    def _findings(self) -> tuple[Finding, ...]:
        from reconcile.engine.model import Finding

        if not self._refused:
            return ()
        what = (
            "The kernel did not make the host read-only while this command looked at it:"
            f" {self._refused}. reconcile writes nothing then, but nothing holds back what it runs"
        )
        fix = "On Linux 5.12 or later, give the container CAP_SYS_ADMIN; or take it as it is."
        return (Finding("not-read-only", "note", f"{what}.", fix=fix),)
