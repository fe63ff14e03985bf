"""The events of an apply as JSON lines."""

from __future__ import annotations

from collections.abc import Sequence

from reconcile.cli.progress import EventSink, print_line
from reconcile.cli.terminal import now
from reconcile.engine.apply_report import Event, Report
from reconcile.engine.model import Check, Plan
from reconcile.output.json import event_document, planned_event, summary_event, to_json


class JsonLines(EventSink):
    """One JSON object per line, as `apply --json` promises."""

    def plan(self, plan: Plan) -> None:
        """A line per planned change."""
        for change in plan.changes:
            print_line(to_json(planned_event(change)))

    def __call__(self, event: Event) -> None:
        """A line per event."""
        if event.type == "apply_progress":
            return  # only for people: a program waits
        print_line(to_json(event_document(event)))

    def end(self, report: Report, code: int) -> None:
        """The summary, as the last line."""
        print_line(to_json(summary_event(report, code, now=now())))

    def rolled_back(self, notes: Sequence[str], checks: Sequence[Check]) -> None:
        """A line per check and per note."""
        for check in checks:
            self(Event("check", check=check))
        for note in notes:
            self(Event("note", message=note))
