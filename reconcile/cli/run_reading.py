"""The reading that a run of `pull` or of the schedule leaves for collectors."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from reconcile.cli.drift_actions import errors_as_notes
from reconcile.cli.standard_input import DASH
from reconcile.cli.terminal import now
from reconcile.dataclass import dataclass
from reconcile.engine import ledger_store
from reconcile.engine.apply_report import Report
from reconcile.engine.drift_report import Drift
from reconcile.engine.history import last_row, rows_backwards
from reconcile.engine.host_hold import read_hold
from reconcile.engine.model import Plan
from reconcile.errors import HoldInForce, LockHeld, ReconcileError
from reconcile.gitops.readings import leave_reading
from reconcile.output.reading_documents import (
    MOST_APPLIES,
    Run,
    failed_reading_document,
    reading_document,
)

if TYPE_CHECKING:
    from reconcile.system import Host
    from reconcile.workspace import Workspace


@dataclass(frozen=True)
class RunReading:
    """Where a run leaves its reading, of which kind the run is, and the command that applies."""

    directory: str
    run: Run
    command: str

    def leave_report(self, workspace: Workspace, report: Report, exit_code: int) -> None:
        """Leave what an apply did: after it nothing differs, or its plan is still pending."""
        plan = report.plan
        if report.result in ("applied", "no_changes"):
            plan = replace(plan, changes=(), behaviour_changes=())
        last = last_row(workspace.host.state)
        drift = Drift(plan, report.checks, ledger_store.now(), last_apply=last)
        self.leave(workspace, drift, exit_code, report)

    def leave(
        self, workspace: Workspace, drift: Drift, exit_code: int, report: Report | None = None
    ) -> None:
        """Leave what the run found. What fails is a note: the run itself has succeeded."""
        with errors_as_notes():
            document = reading_document(
                drift,
                run=self.run,
                scope=workspace.host.settings.scope,
                sites=list(workspace.config.sites),
                command=self.command,
                history=list(islice(rows_backwards(workspace.host.state), MOST_APPLIES)),
                exit_code=exit_code,
                now=now(),
                report=report,
            )
            leave_reading(workspace.host, self.directory, document)

    @contextmanager
    def of_failure(self, host: Host) -> Iterator[None]:
        """Where the body fails, leave a reading in which all is unknown, and raise again."""
        try:
            yield
        except LockHeld:
            # The run that holds the lock leaves its own.
            raise
        except ReconcileError as error:
            self._leave_failure(host, error)
            raise

    def _leave_failure(self, host: Host, error: ReconcileError) -> None:
        hold = read_hold(host.state) if isinstance(error, HoldInForce) else None
        nothing = Drift(Plan(host.name, (), "", hold=hold), (), ledger_store.now())
        with errors_as_notes():
            document = failed_reading_document(
                nothing, error, run=self.run, command=self.command, now=now()
            )
            leave_reading(host, self.directory, document)


def shell_command(arguments: Sequence[str]) -> str:
    """The command line, as a shell reads it."""
    return " ".join(shlex.quote(part) for part in arguments)


def apply_command(file: str) -> str:
    """The command that applies the configuration file `file`."""
    return shell_command(
        ["reconcile", "apply", "-f", file if file == DASH else os.path.abspath(file)]
    )
