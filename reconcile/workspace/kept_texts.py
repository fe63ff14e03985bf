"""The texts of an apply, kept for the history while it runs: afterwards they are gone."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from reconcile.engine.apply_texts import ChangedText, changed_texts, write_texts
from reconcile.errors import ReconcileError

if TYPE_CHECKING:
    from reconcile.engine.model import Plan
    from reconcile.workspace import Workspace


class KeptTexts:
    """Those of the apply of `plan`, which is about to begin."""

    def __init__(self, workspace: Workspace, plan: Plan) -> None:
        self._workspace = workspace
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
            write_texts(host.state, number, self._plan, self._texts)
