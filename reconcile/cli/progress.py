"""What is seen of an apply while it happens."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from reconcile.cli.terminal import forget_stdout, now, show, style
from reconcile.engine.model import Change, Event, Plan, Report
from reconcile.output.changes import action_line, address
from reconcile.output.text import failure_text, plan_text, report_text

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.progress import Progress

    from reconcile.system import Host


class Listener(Protocol):
    """Hears of an apply from its plan to its end; never a reason for it to fail."""

    def looking(self, host: Host, /) -> AbstractContextManager[None]: ...

    def plan(self, plan: Plan, /) -> None: ...

    def working(self, plan: Plan, /) -> AbstractContextManager[None]: ...

    def __call__(self, event: Event, /) -> None: ...

    def end(self, report: Report, code: int, /) -> None: ...

    def undone(self, notes: tuple[str, ...], /) -> None:
        """A rollback has come to its end; `notes` tell what somebody else has changed since."""


def listener(*, json: bool) -> Listener:
    """JSON lines; or text, with a progress bar on a terminal."""
    if json:
        return JsonLines()
    return Bar() if sys.stdout.isatty() else Lines()


class JsonLines:
    """One object a line, as `apply --json` promises."""

    @contextmanager
    def looking(self, _host: Host) -> Iterator[None]:
        yield

    def plan(self, plan: Plan) -> None:
        from reconcile.output.json import dumped, planned_line

        for change in plan.changes:
            _say(dumped(planned_line(change)))

    @contextmanager
    def working(self, _plan: Plan) -> Iterator[None]:
        yield

    def __call__(self, event: Event) -> None:
        if event.type == "apply_progress":
            return  # for who watches; a program waits
        from reconcile.output.json import dumped, event_line

        _say(dumped(event_line(event)))

    def end(self, report: Report, code: int) -> None:
        from reconcile.output.json import dumped, summary_line

        _say(dumped(summary_line(report, code, now=now())))

    def undone(self, notes: tuple[str, ...]) -> None:
        for note in notes:
            self(Event("note", message=note))


class Lines:
    """A line for each change that is made."""

    def looking(self, host: Host) -> AbstractContextManager[None]:
        from reconcile.cli.counting import counted

        return counted(host, json=False)

    def plan(self, plan: Plan) -> None:
        _say(plan_text(plan, style()))

    @contextmanager
    def working(self, plan: Plan) -> Iterator[None]:
        if plan.changes:
            _say("")
        yield

    def __call__(self, event: Event) -> None:
        line = _line(event)
        if line:
            _say(line)

    def end(self, report: Report, _code: int) -> None:
        if report.result == "no_changes":
            return  # the plan has said so
        _say("\n" + report_text(report, style()))
        if report.error:
            sys.stderr.write(failure_text(report, style(sys.stderr)) + "\n")

    def undone(self, notes: tuple[str, ...]) -> None:
        from reconcile.output.text import rollback_text

        _say(rollback_text(notes, style()))


class Bar(Lines):
    """The same lines above a bar that tells what is being done and how much is left."""

    def __init__(self) -> None:
        self._progress: Progress | None = None

    @contextmanager
    def working(self, plan: Plan) -> Iterator[None]:
        if not plan.changes:
            yield
            return
        # Costs 60 ms to import, and only an apply on a terminal has use for it.
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        _say("")
        console = Console(no_color=not style().colour, highlight=False)
        columns = (BarColumn(20), MofNCompleteColumn(), TextColumn("{task.description}"))
        with Progress(*columns, console=console, transient=True) as self._progress:
            self._progress.add_task("", total=len(plan.changes))
            yield
        self._progress = None

    def __call__(self, event: Event) -> None:
        if self._progress is None:
            super().__call__(event)
            return
        [task] = self._progress.task_ids
        if event.type in ("apply_start", "apply_progress") and event.change is not None:
            doing = _plain(event.change) + _far(event)
            # How far a copy is comes seldom: it is shown at once, not at the bar's next tick.
            is_far = event.type == "apply_progress"
            self._progress.update(task, description=doing, refresh=is_far)
        if event.type == "apply_complete":
            self._progress.advance(task)
        line = _line(event)
        if line:
            self._progress.console.out(line)


def _plain(change: Change) -> str:
    """Rich reads [brackets] as its own words."""
    return address(change).replace("[", r"\[")


def _far(event: Event) -> str:
    return f": {event.done:,} of {event.total:,} files" if event.total else ""


def _line(event: Event) -> str:
    """One line for what is worth one; checks and notes are told together at the end."""
    from reconcile.output.escape import printable

    if event.type == "apply_complete" and event.change is not None:
        return f"{action_line(event.change, style())} ({event.elapsed_s:.1f} s)"
    if event.type == "rollback":
        return style().error(f"Rolling back: {printable(event.message)}")
    return ""


def _say(text: str) -> None:
    """An apply goes on when nobody reads any more: half of one is worse than a silent one."""
    try:
        show(text)
    except BrokenPipeError:
        forget_stdout()
