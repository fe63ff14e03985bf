"""The texts that an apply changes, and what its steps wrote, beside its row of the history."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from reconcile.dataclass import dataclass
from reconcile.engine.diff import SENSITIVE
from reconcile.engine.digest import canonical
from reconcile.engine.step_output import StepOutput, bounded
from reconcile.engine.text_diff import unified_lines
from reconcile.wording import utc_text

if TYPE_CHECKING:
    from reconcile.engine.history import HistoryRow
    from reconcile.engine.model import Change, FieldChange, Plan
    from reconcile.filesystem.state_dir import StateDir
    from reconcile.system import Host

FOLDER = "texts"
FORMAT = 1
RETAINED = 100
"""Of how many applies the texts are kept."""
MOST_DAYS = 365
MOST_COMPARED = 200_000
"""Characters of one text, before and after, above which it is not compared."""
MOST_STORED = 256 << 10
"""Characters of the diffs of one apply."""
HIDDEN = "its content is sensitive"
TOO_LONG = "it is too long"


@dataclass(frozen=True)
class ChangedText:
    """A text of one resource; `diff` is "" where it is not kept, for the reason `omitted`."""

    address: str
    action: str
    field: str
    diff: str = ""
    omitted: str = ""


def changed_texts(plan: Plan, host: Host) -> tuple[ChangedText, ...]:
    """The texts that `plan` changes on `host`, which is as before the apply."""
    found = [text for change in plan.changes for text in _texts_of(change, host)]
    kept: list[ChangedText] = []
    left = MOST_STORED
    for text in found:
        left -= len(text.diff)
        kept.append(text if left >= 0 else _without_diff(text))
    return tuple(kept)


def write_texts(
    state: StateDir,
    number: int,
    plan: Plan,
    texts: Sequence[ChangedText],
    steps: Sequence[StepOutput] = (),
) -> None:
    """Keep the texts of the apply that will be row `number`, and drop those that are too old.

    `steps` were run for it.
    """
    body = {
        "format": FORMAT,
        "at": utc_text(datetime.now(UTC)),
        "fingerprint": plan.fingerprint,
        "texts": [asdict(text) for text in texts],
        "steps": [asdict(step) for step in bounded(steps)],
    }
    state.write(_file(number), canonical(body).encode())
    _drop_old(state)


def read_texts(state: StateDir, row: HistoryRow) -> tuple[ChangedText, ...] | None:
    """The texts of the apply of `row`; None where they were not kept, or are of another one."""
    body = _decoded(state.read(_file(row.number)))
    if body is None or body["fingerprint"] != row.entry.fingerprint:
        return None
    try:
        return tuple(ChangedText(**text) for text in body["texts"])
    except TypeError:
        return None


def read_steps(state: StateDir, row: HistoryRow) -> tuple[StepOutput, ...]:
    """What the steps of the apply of `row` wrote; none where it had none, or it is not kept."""
    body = _decoded(state.read(_file(row.number)))
    if body is None or body["fingerprint"] != row.entry.fingerprint:
        return ()
    try:
        return tuple(StepOutput(**step) for step in body.get("steps", []))
    except TypeError:
        return ()


def _texts_of(change: Change, host: Host) -> Iterator[ChangedText]:
    address, action = str(change.ref), change.action
    if change.after is None:
        removed = change.subject.removed_text(host)
        if removed is not None:
            yield _changed_text(address, action, "content", change.subject.legible(removed), "")
        return
    hidden = change.subject.sensitive_fields()
    for field in _text_fields(change):
        if field.sensitive or field.name in hidden:
            yield ChangedText(address, action, field.name, omitted=HIDDEN)
        else:
            legible = change.subject.legible
            before, after = (legible(value or "") for value in (field.before, field.after))
            yield _changed_text(address, action, field.name, before, after)


def _text_fields(change: Change) -> Iterator[FieldChange]:
    for field in change.fields:
        values = [value for value in (field.before, field.after) if value is not None]
        is_text = all(isinstance(value, str) for value in values)
        if is_text and any("\n" in value or value == SENSITIVE for value in values):
            yield field


def _changed_text(address: str, action: str, field: str, before: str, after: str) -> ChangedText:
    if len(before) + len(after) > MOST_COMPARED:
        return ChangedText(address, action, field, omitted=TOO_LONG)
    return ChangedText(address, action, field, "\n".join(unified_lines(before, after)))


def _without_diff(text: ChangedText) -> ChangedText:
    omitted = text.omitted or TOO_LONG
    return ChangedText(text.address, text.action, text.field, omitted=omitted)


def _drop_old(state: StateDir) -> None:
    oldest = datetime.now(UTC) - timedelta(days=MOST_DAYS)
    names = state.list_names(FOLDER)
    for name in names[:-RETAINED]:
        state.remove(f"{FOLDER}/{name}")
    for name in names[-RETAINED:]:
        body = _decoded(state.read(f"{FOLDER}/{name}"))
        if body is not None and datetime.fromisoformat(body["at"]) >= oldest:
            break
        state.remove(f"{FOLDER}/{name}")


def _decoded(data: bytes | None) -> dict[str, Any] | None:
    """What a file holds; None for one that cannot be used, which only loses texts."""
    try:
        body: dict[str, Any] = json.loads(data or b"")
        datetime.fromisoformat(body["at"])
        is_known = body["format"] == FORMAT and isinstance(body["texts"], list)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return body if is_known else None


def _file(number: int) -> str:
    return f"{FOLDER}/{number:08d}.json"
