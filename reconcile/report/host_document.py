"""The JSON documents that a page is made of, read tolerantly: unknown keys are ignored."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MOST_BYTES = 64 << 20
"""Of one document. A plan of a thousand sites has 5 MB."""
MOST_ITEMS = 20_000
MOST_LEVELS = 32
KNOWN = ("resource_changes", "checks", "findings", "entries", "error")
"""One of these keys makes a document one that a page can show."""
DONE = ("applied", "no_changes")


class Part(BaseModel):
    """A part of a document; keys of later versions are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def _utc(value: str) -> str:
    return datetime.fromisoformat(value).astimezone(UTC).isoformat(timespec="seconds")


Time = Annotated[str, Field(max_length=40), AfterValidator(_utc)]
Texts = Annotated[tuple[str, ...], Field(max_length=MOST_ITEMS)]


def _shallow(value: Any, left: int = MOST_LEVELS) -> Any:
    if left == 0:
        raise ValueError(f"a value has more than {MOST_LEVELS} levels")
    inside = value.values() if isinstance(value, dict) else value
    for item in inside if isinstance(value, dict | list) else ():
        _shallow(item, left - 1)
    return value


Values = Annotated[dict[str, Any], AfterValidator(_shallow)]


class ValuesPart(Part):
    """What differs of a resource."""

    actions: Texts = ()
    before: Values | None = None
    after: Values | None = None


class ChangePart(Part):
    """A change that is pending."""

    address: str
    sites: Texts = ()
    change: ValuesPart
    cause: str = "pending"
    because: str = ""


class UnreadPart(Part):
    """What could not be read."""

    address: str
    reason: str = ""


class ConflictPart(Part):
    """A field that is declared twice."""

    address: str
    field: str = ""


class DeviationPart(Part):
    """Since when a field differs."""

    address: str
    first_seen: Time


class FindingPart(Part):
    """A finding of a plan, or of doctor."""

    rule: str
    severity: str
    what: str
    evidence: Texts = ()
    fix: str = ""
    apply_fixes: bool = False


class CheckPart(Part):
    """The result of a check."""

    name: str
    status: str
    detail: str = ""
    warning: bool = False
    before_apply: str | None = None
    expires: Time | None = None


class BehaviourPart(Part):
    """A request whose answer will change."""

    request: str
    before: str
    after: str


class IgnoredPart(Part):
    """A difference, or a finding (with `rule` and `what`), that the YAML ignores."""

    address: str = ""
    field: str = ""
    rule: str = ""
    what: str = ""
    reason: str = ""
    until: str = ""


class ApplyPart(Part):
    """An apply of the history."""

    number: int = 0
    at: Time
    user: str = ""
    command: str = ""
    git_commit: str | None = None
    result: str = ""
    error: str = ""


class HoldPart(Part):
    """Who holds the host, why and until when."""

    user: str = ""
    reason: str = ""
    since: Time | None = None
    until: Time | None = None


class ErrorPart(Part):
    """Why a run brought no result."""

    what: str
    why: str = ""
    fix: str = ""


class ConfigPart(Part):
    """The configuration file."""

    file: str = ""
    git_commit: str | None = None


class HostDocument(Part):
    """A document of one host; None where it has nothing on the subject."""

    format_version: str = Field(pattern=r"^1\.\d{1,9}$")
    reconcile_version: str = ""
    host: str = Field(min_length=1)
    scope: str = ""
    timestamp: Time | None = None
    config: ConfigPart | None = None
    partial: bool = False
    resource_changes: Annotated[tuple[ChangePart, ...], Field(max_length=MOST_ITEMS)] | None = None
    conflicts: tuple[ConflictPart, ...] = ()
    unknown: tuple[UnreadPart, ...] = ()
    deviations: tuple[DeviationPart, ...] = ()
    behaviour_changes: tuple[BehaviourPart, ...] = ()
    checks: Annotated[tuple[CheckPart, ...], Field(max_length=MOST_ITEMS)] = ()
    findings: tuple[FindingPart, ...] | None = None
    ignored_changes: tuple[IgnoredPart, ...] | None = None
    ignored: tuple[IgnoredPart, ...] | None = None
    entries: tuple[ApplyPart, ...] | None = None
    history: tuple[ApplyPart, ...] | None = None
    last_apply: ApplyPart | None = None
    hold: HoldPart | None = None
    error: ErrorPart | None = None
    sites: Texts = ()
    state: str = ""
    result: str = ""
    command: str = ""
    applying: str = ""
    omitted: int = 0
    rules: int | None = None
    exit_code: int = 0

    @property
    def at(self) -> datetime | None:
        """When it was made."""
        return datetime.fromisoformat(self.timestamp) if self.timestamp else None

    @property
    def is_plan(self) -> bool:
        """Whether it shows what differs: a plan, a drift check, a reading or an apply."""
        return self.resource_changes is not None
