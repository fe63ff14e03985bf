"""What one drift check tells the next: since when, when all was well, what was told to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from reconcile.engine.drift_report import State

if TYPE_CHECKING:
    from reconcile.engine.drift_report import Drift
    from reconcile.filesystem.state_dir import StateDir

FILE = "drift.json"


class Notified(BaseModel):
    """The last message: what it was about, and when it was sent."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    key: str
    state: State
    at: str


class Memory(BaseModel):
    """The whole of drift.json; times are in UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal[1] = 1
    first_seen: dict[str, dict[str, str]] = {}
    last_run: str | None = None
    last_state: State | None = None
    last_success: str | None = None
    notified: Notified | None = None
    failed_heal: str | None = None
    """The fingerprint of the plan that could not be carried out; it is not tried again."""


def recall(state: StateDir) -> tuple[Memory, str]:
    """What was remembered, and what is wrong with it; a damaged memory is an empty one."""
    data = state.read(FILE)
    if data is None:
        return Memory(), ""
    try:
        return Memory.model_validate_json(data), ""
    except ValidationError:
        return Memory(), f"{state.path_of(FILE)} was damaged: what drifts counts as new"


def after(memory: Memory, drift: Drift) -> Memory:
    """What to remember once `drift` was seen. In the midst of an apply, nothing is settled."""
    if drift.applying:
        return memory.model_copy(update={"last_run": drift.at})
    return memory.model_copy(
        update={
            "first_seen": drift.first_seen_by_field,
            "last_run": drift.at,
            "last_state": drift.state,
            "last_success": drift.last_success,
        }
    )


def remember(state: StateDir, memory: Memory) -> None:
    """Errors: HostError."""
    state.write(FILE, (memory.model_dump_json() + "\n").encode())
