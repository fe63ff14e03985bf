"""Where the probes of each applied state are recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconcile.filesystem.state_dir import StateDir

FOLDER = "probes"


def probes_file(number: int) -> str:
    """The file for the state that row `number` of the history left."""
    return f"{FOLDER}/{number:08d}.json"


def has_recorded_probes(state: StateDir, number: int) -> bool:
    """Whether those of that state are recorded. Errors: HostError."""
    return probes_file(number) in {f"{FOLDER}/{name}" for name in state.list_names(FOLDER)}
