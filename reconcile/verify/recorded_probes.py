"""The probes of each applied state: what to expect before the next apply, and after a rollback."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, get_args

from reconcile.config.probes import Endpoint, Expectation, Probe
from reconcile.verify.probe_files import FOLDER, probes_file

if TYPE_CHECKING:
    from reconcile.filesystem.state_dir import StateDir

_KINDS: dict[str, type[Probe]] = {kind.__name__: kind for kind in get_args(Probe)}


def record_probes(state: StateDir, number: int, probes: Sequence[Probe]) -> None:
    """Record the probes of the state that row `number` of the history leaves."""
    state.write(probes_file(number), json.dumps([_encode(probe) for probe in probes]).encode())


def recorded_probes(state: StateDir, number: int) -> tuple[Probe, ...] | None:
    """The probes of the state that row `number` left; None where no version recorded them."""
    data = state.read(probes_file(number))
    try:
        return None if data is None else tuple(_decode(item) for item in json.loads(data))
    except (ValueError, KeyError, TypeError):
        # Written by another version: it only makes verification more exact.
        return None


def forget_probes(state: StateDir, *, keep: int) -> None:
    """Remove the records of all but the latest `keep` states."""
    for name in state.list_names(FOLDER)[:-keep]:
        state.remove(f"{FOLDER}/{name}")


def _encode(probe: Probe) -> dict[str, Any]:
    return {"kind": type(probe).__name__, **_to_json(asdict(probe))}


def _to_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _to_json(item) for key, item in value.items()}
    return sorted(value) if isinstance(value, frozenset) else value


def _decode(item: dict[str, Any]) -> Probe:
    fields = dict(item)
    kind = _KINDS[fields.pop("kind")]
    fields["endpoint"] = _endpoint(fields["endpoint"])
    if "refusals" in fields:
        fields["refusals"] = tuple(map(tuple, fields["refusals"]))
    for name in ("others", "names"):
        if name in fields:
            fields[name] = tuple(fields[name])
    for name in ("expect", "minimum", "hidden"):
        if fields.get(name) is not None:
            fields[name] = _expectation(fields[name])
    return kind(**fields)


def _endpoint(fields: dict[str, Any]) -> Endpoint:
    lists = {name: tuple(fields.get(name, ())) for name in ("addresses", "behind_proxy")}
    return Endpoint(**(fields | lists))


def _expectation(fields: dict[str, Any]) -> Expectation:
    sets = {name: frozenset(fields[name]) for name in ("status", "not_status")}
    pairs = {name: tuple(map(tuple, fields[name])) for name in ("headers", "refusals")}
    return Expectation(**(fields | sets | pairs))
