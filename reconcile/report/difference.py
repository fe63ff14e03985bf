"""What differs on several hosts in the same way, once, with the hosts."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from reconcile.engine.model import FieldChange
from reconcile.output.fields import unstyled_field_lines
from reconcile.output.reading_documents import OMITTED
from reconcile.report.host_document import ApplyPart, ChangePart
from reconcile.report.host_record import HostRecord
from reconcile.report.view import DifferenceView, DiffLine, HostLink, Printable, TimeView
from reconcile.resources.registry import MODULES, load
from reconcile.wording import counted, shortened

CAUSES = ("drift", "both", "pending", "upgrade")
MOST_LINES = 120
"""Lines of one difference that a page shows."""
MOST_TEXT = 60_000
"""Characters of two texts above which their lines are not compared."""
MOST_TEXT_LINES = 1500
MOST_DIFFS = 400
"""Differences whose lines are compared; of more, each host shows its own."""
MOST_CHANGES = 2000
"""Of one host."""
MOST_LINE = 1000
"""Characters of a line that are shown."""
MOST_WAYS = 3
"""Commands and applies that are listed for one difference."""
_SECRET = re.compile(
    r"((?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|private[_-]?key|authorization"
    r"|credential)[\w.-]*[\"']?\s*[=: ]\s*)(?=\S)(?!\(sensitive\)|\(omitted\)).+",
    re.I,
)
_USERINFO = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]*@")
HIDDEN = "(hidden)"

OnHost = tuple[HostRecord, ChangePart]


def differences_of(
    records: Sequence[HostRecord], links: Mapping[str, HostLink]
) -> list[DifferenceView]:
    """Each difference once; what left its last apply first, then what most hosts have."""
    groups: dict[str, list[OnHost]] = {}
    for record in records:
        for change in record.changes[:MOST_CHANGES]:
            groups.setdefault(difference_key(change), []).append((record, change))
    ordered = sorted(groups.values(), key=_rank)
    return [_view(number, group, links) for number, group in enumerate(ordered, 1)]


def command_for(record: HostRecord, address: str = "") -> str:
    """The command that resolves what differs on a host, or there only `address`."""
    plan = record.plan
    known = next((one.command for one in reversed(record.documents) if one.command), "")
    if known.startswith("reconcile pull"):
        return known
    file = plan.config.file if plan and plan.config else ""
    command = known or shlex.join(["reconcile", "apply", *(["-f", file] if file else [])])
    return f"{command} --target {shlex.quote(address)}" if address else command


def hidden(text: str) -> str:
    """`text` without what is probably a secret: a page is passed on more easily than a plan."""
    return _USERINFO.sub(f"{HIDDEN}@", _SECRET.sub(rf"\1{HIDDEN}", text))


def difference_key(change: ChangePart) -> str:
    """Equal for equal differences."""
    values = change.change
    return json.dumps(
        [change.address, change.cause, values.actions, values.before, values.after],
        sort_keys=True,
        default=str,
    )


def _rank(group: Sequence[OnHost]) -> tuple[int, int, str]:
    _, change = group[0]
    cause = CAUSES.index(change.cause) if change.cause in CAUSES else len(CAUSES)
    return cause, -len(group), change.address


def _view(number: int, group: Sequence[OnHost], links: Mapping[str, HostLink]) -> DifferenceView:
    _, change = group[0]
    lines = list(_diff_lines(change)) if number <= MOST_DIFFS else []
    first_seen = [record.first_seen.get(change.address) for record, _ in group]
    return DifferenceView(
        id=f"d-{number}",
        key=difference_key(change),
        address=change.address,
        action=action_of(change),
        cause=change.cause,
        because=change.because,
        hosts=tuple(links[record.name] for record, _ in group),
        since=min((TimeView(at) for at in first_seen if at), key=lambda one: one.at, default=None),
        applies=_applies(record.last_apply for record, _ in group),
        commands=_most_common(command_for(record, change.address) for record, _ in group),
        lines=tuple(lines[:MOST_LINES]),
        left_out=max(0, len(lines) - MOST_LINES),
        are_texts_omitted=_has_omitted(change),
    )


def _has_omitted(change: ChangePart) -> bool:
    sides = (change.change.before or {}, change.change.after or {})
    return any(value == OMITTED for side in sides for value in side.values())


def action_of(change: ChangePart) -> str:
    """Whether the resource is created, updated or deleted."""
    known = ("create", "update", "delete")
    return next((action for action in change.change.actions if action in known), "update")


def _applies(found: Iterable[ApplyPart | None]) -> tuple[str, ...]:
    texts = [f"{one.user} by {one.command}, {TimeView(one.at).text}" for one in found if one]
    return _most_common(texts)


def _most_common(texts: Iterable[str]) -> tuple[str, ...]:
    counts = Counter(texts)
    shown = [text for text, _ in counts.most_common(MOST_WAYS)]
    more = len(counts) - len(shown)
    return (*shown, *([f"and {counted(more, 'other')}"] if more else []))


def _diff_lines(change: ChangePart) -> Iterator[DiffLine]:
    before, after = change.change.before or {}, change.change.after or {}
    for name in sorted((before.keys() | after.keys()) - _opaque(change.address)):
        values = before.get(name), after.get(name)
        for line in _field_lines(name, *values):
            yield DiffLine(_kind(line), Printable(hidden(shortened(line, MOST_LINE))))


def _opaque(address: str) -> frozenset[str]:
    """The fields of a kind that only machines compare."""
    kind = address.partition(":")[0]
    return load(kind).opaque if kind in MODULES else frozenset()


def _field_lines(name: str, before: Any, after: Any) -> list[str]:
    texts = str(before), str(after)
    if sum(map(len, texts)) > MOST_TEXT or sum(map(_line_count, texts)) > MOST_TEXT_LINES:
        return [f"~ {name}: too long to be compared here"]
    return unstyled_field_lines(FieldChange(name, before, after))


def _line_count(text: str) -> int:
    return text.count("\n")


def _kind(line: str) -> str:
    sign = line.lstrip(" ")[:1]
    return {"+": "add", "-": "remove", "@": "hunk"}.get(sign, "")
