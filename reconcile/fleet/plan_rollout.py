"""Plans all hosts of a fleet, and saves one plan for each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconcile.engine.ledger_store import now
from reconcile.fleet.answer import HostAnswer
from reconcile.fleet.rollout_record import HostPlanRecord, Index, SavedPlans, file_digest

if TYPE_CHECKING:
    from reconcile.fleet.session import OnAnswer, Session


def plan_fleet(
    session: Session, saved: SavedPlans | None, on_answer: OnAnswer
) -> dict[str, HostAnswer]:
    """The plan of each host, saved where a folder is given."""

    def keep(name: str, answer: HostAnswer) -> HostAnswer:
        """Save a plan when it arrives: thousands would not fit into memory."""
        if saved is not None and answer.saved_plan:
            saved.save(name, answer)
        elif saved is not None and answer.state == "drift":
            answer = replace(answer, state="unknown", problem="the answer has no plan to save")
        return on_answer(name, replace(answer, saved_plan=b""))

    if saved is not None:
        saved.create()
    answers = session.ask("plan", [*session.targets], keep)
    if saved is not None:
        saved.save_index(_index(session, answers))
    return answers


def _index(session: Session, answers: dict[str, HostAnswer]) -> Index:
    return Index(
        made_at=now(),
        fleet=session.fleet.file,
        fleet_digest=file_digest(session.fleet.file),
        hosts={
            name: HostPlanRecord(
                state=answer.state,
                exit_code=answer.exit_code,
                config=session.packages[name].digest,
                problem=answer.problem,
            )
            for name, answer in answers.items()
        },
    )
