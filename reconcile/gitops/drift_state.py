"""The state that one drift check leaves for the next: drift.json in the state directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from reconcile.engine.drift_report import State

if TYPE_CHECKING:
    from reconcile.engine.drift_report import Drift
    from reconcile.system import Host


def _state_file(host: Host) -> str:
    """One of each scope: a difference of one is none of the others'."""
    scope = host.settings.scope
    return f"drift-{scope}.json" if scope else "drift.json"


class SentAlert(BaseModel):
    """The last alert: its fingerprint, state and time."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    key: str
    state: State
    at: str


class DriftState(BaseModel):
    """The contents of drift.json; times are in UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal[1] = 1
    first_seen: dict[str, dict[str, str]] = {}
    last_run: str | None = None
    last_state: State | None = None
    last_success: str | None = None
    notified: SentAlert | None = None
    failed_heal: str | None = None
    """The fingerprint of a plan that failed to apply; it is not attempted again."""


def load(host: Host) -> tuple[DriftState, str]:
    """Read the state, and a warning about it; a damaged file counts as empty."""
    state, file = host.state, _state_file(host)
    data = state.read(file)
    if data is None:
        return DriftState(), ""
    try:
        return DriftState.model_validate_json(data), ""
    except ValidationError:
        return DriftState(), f"{state.path_of(file)} is damaged: all drift counts as new"


def updated_with(memory: DriftState, drift: Drift) -> DriftState:
    """Return `memory` updated with a finished check; during an apply only its time."""
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


def save(host: Host, memory: DriftState) -> None:
    """Write the state. Errors: HostError."""
    host.state.write(_state_file(host), (memory.model_dump_json() + "\n").encode())
