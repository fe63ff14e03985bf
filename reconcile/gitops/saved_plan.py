"""Saved plans: a file that approves exactly one plan, usable once.

It is not a script: an apply plans again, and compares the new plan with the approved one.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from reconcile.engine import history
from reconcile.engine.digest import canonical, digest
from reconcile.engine.fingerprint import fingerprint
from reconcile.engine.ledger_store import now
from reconcile.engine.model import PlanInputs
from reconcile.engine.selection import Selection
from reconcile.errors import ReconcileError, StalePlan
from reconcile.filesystem.user_files import read_user_file, write_user_file

if TYPE_CHECKING:
    from reconcile.engine.model import Plan
    from reconcile.filesystem.state_dir import StateDir

LARGEST_BYTES = 32 << 20
PRIVATE = 0o600
Change = tuple[dict[str, str] | None, dict[str, str] | None]


class PlanUnusable(StalePlan):
    """The file is not a valid saved plan."""


class SavedPlan(BaseModel):
    """The approved plan: digests, addresses and actions, never values."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    what: Literal["reconcile saved plan"] = "reconcile saved plan"
    format: Literal[1] = 1
    id: str
    made_at: str
    made_by: str
    file: str
    host: str
    version: str
    config: str
    fingerprint: str
    serial: int
    """How many applies the host had when the plan was made."""
    sites: tuple[str, ...]
    targets: tuple[str, ...]
    excludes: tuple[str, ...]
    actions: dict[str, str]
    changes: dict[str, Change]

    @property
    def selection(self) -> Selection:
        """The part of the host that was planned."""
        return Selection(self.sites, self.targets, self.excludes)

    @property
    def inputs(self) -> PlanInputs:
        """The state that the plan was made from; a plan from another one is stale."""
        return PlanInputs(self.host, self.version, self.config, self.changes)


def from_plan(plan: Plan, file: str, selection: Selection, user: str, serial: int = 0) -> SavedPlan:
    """Save `plan`, made from the YAML at the absolute path `file`.

    Errors: ReconcileError for an incomplete plan.
    """
    if plan.unknown or plan.conflicts:
        raise ReconcileError(
            "The plan is incomplete and was not saved",
            "a part of the host could not be read, or declarations conflict",
            "Fix the problems that the plan lists, then plan again.",
        )
    return SavedPlan(
        id=secrets.token_hex(16),
        made_at=now(),
        made_by=user,
        file=file,
        host=plan.inputs.host,
        version=plan.inputs.version,
        config=plan.inputs.config,
        fingerprint=plan.fingerprint,
        serial=serial,
        sites=selection.sites,
        targets=selection.targets,
        excludes=selection.excludes,
        actions={str(change.ref): change.action for change in plan.changes},
        changes={address: _as_dicts(sides) for address, sides in plan.inputs.changes.items()},
    )


def _as_dicts(sides: tuple[Any, Any]) -> Change:
    before, after = sides
    return (None if before is None else dict(before), None if after is None else dict(after))


def encode(plan: SavedPlan) -> bytes:
    """Serialize the plan with a digest that detects changes."""
    body = plan.model_dump(mode="json")
    return (canonical(body | {"digest": digest(body)}) + "\n").encode()


def decode(data: bytes, name: str) -> SavedPlan:
    """Parse a saved plan. Errors: PlanUnusable for anything that `encode` did not produce."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise _unusable(name, "it is truncated or not a saved plan") from None
    _refuse_other_format(body, name)
    try:
        # As JSON: there a tuple is a list.
        signed = {key: value for key, value in body.items() if key != "digest"}
        plan = SavedPlan.model_validate_json(canonical(signed))
        genuine = encode(plan) == data
    except (ValidationError, ValueError, RecursionError):
        genuine = False
    if not genuine:
        raise _unusable(name, "it was edited or is damaged")
    return plan


def write(path: str, plan: SavedPlan) -> None:
    """Write the plan with mode 0600; replaces only another saved plan. Errors: HostError."""
    write_user_file(path, encode(plan), mode=PRIVATE, replaceable=_is_saved_plan)


def read(path: str) -> SavedPlan:
    """Read a saved plan. Errors: PlanUnusable; HostError where the file cannot be read."""
    data = read_user_file(path, LARGEST_BYTES)
    if len(data) > LARGEST_BYTES:
        raise _unusable(path, "it is too large for a saved plan")
    return decode(data, path)


def refuse_used(plan: SavedPlan, state: StateDir) -> None:
    """Raise StalePlan where the same changes were applied since it was made, with any result.

    A plan is known by what it does, as anybody who can write the file can change its id.
    """
    what = fingerprint(plan.inputs)
    for row in history.rows(state):
        if isinstance(row, str) or row.number <= plan.serial:
            continue
        if row.entry.by.plan and row.entry.fingerprint == what:
            applied = (
                f"already applied by {row.entry.by.user} at {row.entry.at}: {row.entry.result}"
            )
            raise _stale(f"{applied}; a saved plan can be applied once")


def _refuse_other_format(body: Any, name: str) -> None:
    if not isinstance(body, dict) or body.get("what") != "reconcile saved plan":
        raise _unusable(name, "it is truncated or not a saved plan")
    if body.get("format") != 1:
        raise _unusable(name, "it was written by another version of reconcile")


def _is_saved_plan(data: bytes) -> bool:
    try:
        decode(data, "")
    except PlanUnusable:
        return False
    return True


def _unusable(name: str, why: str) -> PlanUnusable:
    return PlanUnusable(
        f"{name} is not a valid saved plan",
        why,
        "Create a new plan with --out and have it approved. Nothing was changed.",
    )


def _stale(why: str) -> StalePlan:
    return StalePlan(
        "The saved plan cannot be applied.",
        why,
        "Create a new plan with --out and have it approved. Nothing was changed.",
    )
