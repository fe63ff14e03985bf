"""The texts of an apply, kept for the history while it runs: afterwards they are gone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from reconcile.engine.apply_texts import ChangedText, changed_texts, write_texts
from reconcile.errors import ReconcileError

if TYPE_CHECKING:
    from reconcile.engine.model import Plan
    from reconcile.engine.step_output import StepOutput
    from reconcile.workspace import Workspace


class KeptTexts:
    """Those of the apply of `plan`, which is about to begin; its `steps` have run already."""

    def __init__(self, workspace: Workspace, plan: Plan, steps: Sequence[StepOutput] = ()) -> None:
        self._workspace = workspace
        self._steps = steps
        self._plan = plan
        self._texts: list[ChangedText] = []
        self.keep(plan)

    def keep(self, plan: Plan) -> None:
        """Keep the texts of `plan` too, which is about to be done."""
        if not plan.changes:
            return
        host, number = self._workspace.host, self._workspace.ledger.serial + 1
        # Without them the history has no diffs, and that is all.
        with suppress(ReconcileError):
            self._texts += changed_texts(plan, host)
            write_texts(host.state, number, self._plan, self._texts, self._steps)


def keep_steps(workspace: Workspace, plan: Plan, steps: Sequence[StepOutput]) -> None:
    """Keep what the `steps` wrote of an apply of `plan` that they ended."""
    with suppress(ReconcileError):
        write_texts(workspace.host.state, workspace.ledger.serial + 1, plan, (), steps)
