"""Rolling back applies of a host, and verifying what is restored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import reconcile.resources.undo_records  # noqa: F401  registers what a journal may hold
from reconcile.dataclass import dataclass
from reconcile.engine.apply_report import EventHandler, discard_event
from reconcile.engine.model import Check
from reconcile.engine.rollback import NOTHING_UNDONE, RolledBack, rollback_applies
from reconcile.verify.failures_before import NO_FAILURES
from reconcile.workspace.checking import failures_now, verify_restored

if TYPE_CHECKING:
    from reconcile.engine.history import HistoryRow
    from reconcile.workspace import Workspace


@dataclass(frozen=True)
class Rollback:
    """A note for each thing that was left as it is, and the checks of the state returned to."""

    notes: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()


def roll_back(
    workspace: Workspace,
    applies: Sequence[HistoryRow],
    command: str,
    *,
    on_event: EventHandler = discard_event,
) -> Rollback:
    """Undo `applies`, the last one first, and verify; the workspace has to be a locked one.

    Without any it only verifies. Errors: ReconcileError.
    """
    # What was interrupted is rolled back already: nothing tells what had failed before.
    before = failures_now(workspace) if applies else NO_FAILURES
    actor = workspace.actor(command)
    done = rollback_applies(workspace.host, applies, actor, on_event) if applies else NOTHING_UNDONE
    restored = verify_restored(workspace.refreshed(), before=before)
    return Rollback((*done.notes, *done.kept), (*_not_restored(done), *restored))


def _not_restored(done: RolledBack) -> Iterator[Check]:
    """A failed check for each thing that is not as it was before the applies."""
    for name, left in done.remaining:
        yield Check(f"restored:{name}", "fail", left)
