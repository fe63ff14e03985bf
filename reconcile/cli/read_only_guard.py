"""Run readings where nothing can be written, and report where the kernel does not allow that."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from reconcile.cli.terminal import style
from reconcile.engine.model import Finding, Plan
from reconcile.output.text import findings_text
from reconcile.system.read_only import run_read_only

if TYPE_CHECKING:
    from reconcile.output.findings import Diagnosis

Result = TypeVar("Result")
Document = TypeVar("Document", Plan, "Diagnosis")


class ReadOnlyGuard:
    """Runs the readings of one command; remembers whether the kernel kept them from writing."""

    def __init__(self) -> None:
        self._unavailable = ""

    def __call__(self, reading: Callable[[], Result]) -> Result:
        """What `reading` returns or raises."""
        return run_read_only(reading, self._on_unavailable)

    def with_note(self, document: Document) -> Document:
        """`document` with a finding where the guard was not available: for JSON."""
        return replace(document, findings=(*document.findings, *self._findings()))

    def print_note(self) -> None:
        """Print the same finding to stderr, once: the output for people stays as it is."""
        for line in findings_text(self._findings(), style(sys.stderr)):
            sys.stderr.write(line + "\n")
        self._unavailable = ""

    def _on_unavailable(self, why: str) -> None:
        self._unavailable = why

    def _findings(self) -> tuple[Finding, ...]:
        if not self._unavailable:
            return ()
        what = (
            "The kernel did not make the host read-only for this command:"
            f" {self._unavailable}. reconcile itself writes nothing; the programs it runs could"
        )
        fix = "On Linux 5.12 or later, give the container CAP_SYS_ADMIN, or ignore this note."
        return (Finding("not-read-only", "note", f"{what}.", fix=fix),)
