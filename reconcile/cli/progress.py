"""Show an apply while it runs: lines, a progress bar, or JSON lines."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconcile.cli.progress_line import file_progress
from reconcile.cli.standard_streams import discard
from reconcile.cli.terminal import show, style
from reconcile.engine.apply_report import Event, Report
from reconcile.engine.model import Change, Check, Plan
from reconcile.output.changes import action_line, shown_address
from reconcile.output.escape import printable
from reconcile.output.text import failure_text, plan_text, report_text, rollback_text
from reconcile.system import Host

if TYPE_CHECKING:
    from rich.progress import Progress


class EventSink(ABC):
    """Receives the events of an apply, from its plan to its end; never makes it fail."""

    @contextmanager
    def scanning(self, _host: Host) -> Iterator[None]:
        """While the body reads the host."""
        yield

    @contextmanager
    def applying(self, _plan: Plan) -> Iterator[None]:
        """While the body applies the plan."""
        yield

    @abstractmethod
    def plan(self, plan: Plan) -> None:
        """The plan that will be applied, or that needs approval."""

    @abstractmethod
    def __call__(self, event: Event) -> None:
        """A step of the apply."""

    @abstractmethod
    def end(self, report: Report, code: int) -> None:
        """The apply has ended; `code` is the exit code."""

    @abstractmethod
    def rolled_back(self, notes: Sequence[str], checks: Sequence[Check]) -> None:
        """A rollback has ended; `notes` list what someone else has changed since."""


def event_sink(
    *, json: bool, full: bool = False, summary: bool = False, checkout: str = ""
) -> EventSink:
    """JSON lines; or text, with a progress bar on a terminal.

    `full` and `summary` choose how much of the plan is shown, as for `plan`. Paths below
    `checkout` are shown from there.
    """
    if json:
        # Start-up: pydantic, which text does without.
        from reconcile.cli.json_lines import JsonLines

        return JsonLines()
    # The lines of -v would run through the bar.
    has_bar = sys.stdout.isatty() and not Host.wrap_part
    kind = ProgressBar if has_bar else PlainProgress
    return kind(full=full, summary=summary, checkout=checkout)


class PlainProgress(EventSink):
    """One line per change."""

    def __init__(self, *, full: bool = False, summary: bool = False, checkout: str = "") -> None:
        self._full, self._summary, self._checkout = full, summary, checkout
        self._is_applying = False

    @contextmanager
    def scanning(self, host: Host) -> Iterator[None]:
        """On a terminal, count the files that the body reads."""
        with file_progress(host, json=False):
            yield

    def plan(self, plan: Plan) -> None:
        """The plan as `reconcile plan` prints it."""
        self._show(plan_text(plan, style(), full=self._full, summary=self._summary))

    @contextmanager
    def applying(self, plan: Plan) -> Iterator[None]:
        """An empty line before the changes."""
        if plan.changes:
            print_line("")
        self._is_applying = True
        yield
        self._is_applying = False

    def __call__(self, event: Event) -> None:
        """A line for a finished change, or a rollback."""
        line = self._event_line(event)
        if line:
            self._show(line)

    def end(self, report: Report, _code: int) -> None:
        """The result, and on stderr the error."""
        if report.result == "no_changes":
            return  # the plan has shown that
        self._show("\n" + report_text(report, style()))
        if report.error:
            failure = failure_text(report, style(sys.stderr))
            sys.stderr.write(relative_to(self._checkout, failure) + "\n")

    def rolled_back(self, notes: Sequence[str], checks: Sequence[Check]) -> None:
        """That it is done, the notes and the checks."""
        self._show(rollback_text(notes, checks, style()))

    def _event_line(self, event: Event) -> str:
        """A line for a change or a rollback, else ""; checks and notes come at the end."""
        if event.type == "apply_complete" and event.change is not None:
            return f"{action_line(event.change, style())} ({event.elapsed_s:.1f} s)"
        if event.type == "preparing":
            return style().dim(printable(event.message))
        if event.type == "rollback":
            # Why an apply is rolled back is reported once, at its end.
            message = "Rolling back." if self._is_applying else _sentence(event.message)
            return style().error(message)
        return ""

    def _show(self, text: str) -> None:
        print_line(relative_to(self._checkout, text))


class ProgressBar(PlainProgress):
    """The same lines above a progress bar."""

    _progress: Progress | None = None

    @contextmanager
    def applying(self, plan: Plan) -> Iterator[None]:
        """Show the bar while the body applies the plan."""
        if not plan.changes:
            yield
            return
        # Costs 60 ms to import, and only an apply on a terminal has use for it.
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        print_line("")
        self._is_applying = True
        console = Console(no_color=not style().colour, highlight=False)
        columns = (BarColumn(20), MofNCompleteColumn(), TextColumn("{task.description}"))
        with Progress(*columns, console=console, transient=True) as self._progress:
            self._progress.add_task("", total=len(plan.changes))
            yield
        self._progress, self._is_applying = None, False

    def __call__(self, event: Event) -> None:
        """Move the bar, and print a line above it."""
        if self._progress is None:
            super().__call__(event)
            return
        [task] = self._progress.task_ids
        if event.type in ("apply_start", "apply_progress") and event.change is not None:
            doing = _escape_markup(event.change) + _copied_so_far(event)
            # How far a copy is comes seldom: it is shown at once, not at the bar's next tick.
            is_far = event.type == "apply_progress"
            self._progress.update(task, description=doing, refresh=is_far)
        if event.type == "apply_complete":
            self._progress.advance(task)
        line = self._event_line(event)
        if line:
            self._progress.console.out(line)


def _escape_markup(change: Change) -> str:
    """Rich would read [brackets] as markup."""
    return shown_address(change).replace("[", r"\[")


def _copied_so_far(event: Event) -> str:
    return f": {event.done:,} of {event.total:,} files" if event.total else ""


def _sentence(message: str) -> str:
    text = printable(message)
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def relative_to(folder: str, text: str) -> str:
    """`text` with every path below `folder` shown from there; as it is where that is ""."""
    return text.replace(f"{folder}/", "") if folder else text


def print_line(text: str) -> None:
    """An apply continues after its reader has gone: half an apply is worse than a silent one."""
    try:
        show(text)
    except BrokenPipeError:
        discard(sys.stdout)
