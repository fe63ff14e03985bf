"""Differences that a person has decided to live with, and why."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import Field

from reconcile.config.models.section import Section
from reconcile.config.values.written import UnfitError, Written, matching, text


def _parse_reason(value: Any) -> str:
    reason = text(value, "a reason").strip()
    if not reason or not reason.isprintable() or len(reason) > 200:
        raise UnfitError("a reason is one line of up to 200 characters", "say why it may differ")
    return reason


def _parse_day(value: Any) -> date:
    written = text(value, "a day")
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise UnfitError(f"{written[:40]!r} is no day", "write it like 2027-01-31") from None


Address = Annotated[
    str,
    matching(
        r"[a-z_*?]{1,40}:[^\x00-\x1f]{1,1000}",
        "an address",
        hint='write kind:name as a plan does; * and ? stand for anything: "tree:/var/www/*"',
        examples=("tree:/var/www/myapp/media",),
        limit=1041,
    ),
]
FieldPattern = Annotated[
    str, matching(r"[a-z_]{1,40}", "a field", hint="name it as the plan does", examples=("mode",))
]
Reason = Annotated[str, Written(_parse_reason, {"type": "string", "minLength": 1})]
Day = Annotated[date, Written(_parse_day, {"type": "string", "format": "date"})]


class IgnoreRule(Section):
    """One field of one resource, or of several, that may differ."""

    ref: Address = Field(description="The address, or a pattern of addresses.")
    field: FieldPattern = Field(description="The field, as the plan names it.")
    reason: Reason = Field(description="Why it may differ.")
    until: Day | None = Field(default=None, description="The last day on which it may.")
