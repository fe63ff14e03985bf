"""Differences that were accepted, and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from reconcile.config.config_model import ConfigEntry
from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.field_type import FieldType, InvalidValue, regex_str, require_str

if TYPE_CHECKING:
    from reconcile.config.config import Config

DOCTOR = "doctor"
"""The kind of an address that is a rule of the doctor."""


def _parse_reason(value: Any) -> str:
    reason = require_str(value, "a reason").strip()
    if not reason or not reason.isprintable() or len(reason) > 200:
        raise InvalidValue("a reason is one line of up to 200 characters")
    return reason


def _parse_day(value: Any) -> date:
    text = require_str(value, "a date")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidValue(f"{text[:40]!r} is not a date", "use YYYY-MM-DD") from None


RefPattern = Annotated[
    str,
    regex_str(
        r"[a-z_*?]{1,40}:[^\x00-\x1f]{1,1000}",
        "an address",
        hint='use kind:name as shown by a plan; * and ? match anything: "tree:/var/www/*"',
        examples=("tree:/var/www/myapp/media",),
        limit=1041,
    ),
]
FieldPattern = Annotated[
    str,
    regex_str(r"[a-z_]{1,40}", "a field", hint="use its name in the plan", examples=("mode",)),
]
Reason = Annotated[str, FieldType(_parse_reason, {"type": "string", "minLength": 1})]
Day = Annotated[date, FieldType(_parse_day, {"type": "string", "format": "date"})]


class IgnoreRule(ConfigEntry):
    """A field of one or more resources that may differ, or a finding of the doctor."""

    ref: RefPattern = Field(
        description="The address, or a pattern of addresses; doctor:RULE[:SUBJECT] is a finding."
    )
    field: FieldPattern | None = Field(
        default=None, description="The field, by its name in the plan; none for a finding."
    )
    reason: Reason = Field(description="Why it may differ.")
    until: Day | None = Field(default=None, description="The last day on which it may differ.")

    @property
    def is_for_doctor(self) -> bool:
        """Whether it ignores findings of `reconcile doctor`, not differences of a plan."""
        return self.ref.startswith(f"{DOCTOR}:")

    def check(self, loc: Loc, config: Config) -> Iterator[Violation]:  # noqa: ARG002
        """A difference is one of a field; a finding has none."""
        if self.is_for_doctor and self.field:
            yield Violation(loc, "a finding has no field", "remove field")
        elif not self.is_for_doctor and not self.field:
            yield Violation(loc, "field is missing", "use its name in the plan")
