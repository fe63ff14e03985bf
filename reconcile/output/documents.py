"""The JSON that scripts read, as typed models; schemas/ is generated from these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from reconcile.engine.drift_report import State
from reconcile.engine.model import Cause, CheckStatus, Severity
from reconcile.output.escape import printable

FORMAT_VERSION = "1.0"
"""The minor number grows when keys are added, the major one when they change."""

ActionWord = Literal["create", "update", "delete", "no-op"]


class Document(BaseModel):
    """A JSON object of fixed keys, in which every text can be encoded as UTF-8.

    A value may be given as an object whose attributes have the names of the keys.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def of(cls, source: object, **values: Any) -> Self:
        """Build it from `values`, and for all other keys from the attributes of `source`."""
        return cls(**_attributes(source, cls.model_fields.keys() - values), **values)

    @model_validator(mode="before")
    @classmethod
    def _read_attributes(cls, source: Any) -> Any:
        if not isinstance(source, Mapping):
            source = _attributes(source, cls.model_fields.keys())
        return encodable(source)


def _attributes(source: object, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(source, name) for name in names if hasattr(source, name)}


def encodable(value: Any) -> Any:
    """Return `value` with each byte that is not UTF-8 written as `\\xNN`."""
    if isinstance(value, str):
        return value if _is_utf8(value) else printable(value, keep="\n\t")
    if isinstance(value, Mapping):
        return {encodable(key): encodable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encodable(item) for item in value]
    return value


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class ConfigFile(Document):
    """The reconcile.yaml that was used."""

    file: str
    digest: str
    git_commit: str | None


class ChangeValues(Document):
    """What differs, and only that; null where there is nothing before or after.

    `after_unknown` names the fields whose values only the apply will know.
    """

    actions: list[ActionWord]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    after_unknown: list[str] = []


class ResourceChange(Document):
    """A change of one resource; `site` is the first of `sites`."""

    address: str
    kind: str
    name: str
    site: str | None
    sites: list[str]
    change: ChangeValues
    cause: Cause
    because: str
    places: list[str] = Field(description="file:line in the YAML")


class ResourceConflict(Document):
    """A field that the YAML declares twice, with two values."""

    address: str
    field: str
    values: list[str]
    places: list[str]


class FailedReading(Document):
    """A resource that could not be read."""

    address: str
    reason: str


class FindingItem(Document):
    """A problem or a note; `apply_fixes` where an apply removes it."""

    rule: str
    severity: Severity
    what: str
    evidence: list[str]
    fix: str
    apply_fixes: bool
    source: str


class BehaviourChangeItem(Document):
    """A request that will be answered differently."""

    request: str
    before: str
    after: str


class CheckItem(Document):
    """The result of a check; `before_apply` if it had failed before, and is no worse.

    With `warning` it passed, and `detail` is for a person to act on. `expires` is when what it
    is about, such as a certificate, becomes invalid, in UTC.
    """

    name: str
    status: CheckStatus
    detail: str
    before_apply: Literal["fail"] | None = None
    warning: bool = False
    expires: str | None = None


class IgnoredChange(Document):
    """A difference that an ignore rule hides; `until` is empty where the rule never expires."""

    address: str
    field: str
    reason: str
    until: str


class Counts(Document):
    """How many resources are created, updated and deleted, and how many changes are ignored."""

    add: int
    change: int
    destroy: int
    ignored: int
    files_removed: int = 0
    """Files that go with what is destroyed, and inside of what is changed."""


class ErrorItem(Document):
    """An error: what happened, why, and how to fix it; the last two may be empty."""

    what: str
    why: str
    fix: str


class Envelope(Document):
    """The keys that every document begins with."""

    format_version: str = FORMAT_VERSION
    reconcile_version: str
    host: str
    timestamp: str = Field(description="RFC 3339, UTC")


class HoldItem(Document):
    """Who keeps everyone from applying on a host; `until` is null until it is released."""

    user: str
    reason: str
    since: str = Field(description="RFC 3339, UTC")
    until: str | None = Field(description="RFC 3339, UTC")


class PlanDocument(Envelope):
    """`reconcile plan --json`."""

    config: ConfigFile | None
    fingerprint: str
    partial: bool
    resource_changes: list[ResourceChange]
    conflicts: list[ResourceConflict]
    unknown: list[FailedReading]
    behaviour_changes: list[BehaviourChangeItem]
    findings: list[FindingItem]
    hold: HoldItem | None = None
    ignored_changes: list[IgnoredChange]
    checks: list[CheckItem]
    summary: Counts
    result: Literal["planned"]
    exit_code: int


class ApplyItem(Document):
    """An apply: who ran it, when (in UTC), by which command, with which result."""

    number: int
    at: str
    user: str
    command: str
    git_commit: str | None
    result: str


class DeviationItem(Document):
    """A field that differs from the YAML; `*` stands for the whole resource."""

    address: str
    field: str
    cause: Cause
    first_seen: str = Field(description="RFC 3339, UTC")


class DriftDocument(PlanDocument):
    """`reconcile drift --json`: the plan, and whether the host is in sync and healthy."""

    in_sync: bool
    healthy: bool
    state: State
    first_seen: str | None = Field(description="When the oldest difference was first seen")
    last_success: str | None = Field(description="When the host was last in sync and healthy")
    deviations: list[DeviationItem]
    applying: str = Field(description="Who was applying meanwhile; empty if no one")
    healed: list[str] = Field(
        serialization_alias="mended", description="Addresses that --heal reverted just before"
    )
    elapsed_s: float
    last_apply: ApplyItem | None = Field(description="The last apply on this host; null for none")


class VerifyDocument(Envelope):
    """`reconcile verify --json`."""

    checks: list[CheckItem]
    healthy: bool
    result: Literal["verified", "incomplete", "failed"]
    exit_code: int


class HoldDocument(Envelope):
    """`reconcile hold --json`: the hold in force once the command is done; null for none."""

    hold: HoldItem | None
    exit_code: int


class ConfirmDocument(Envelope):
    """`reconcile confirm --json`; `number` is the apply's in the history."""

    number: int
    result: Literal["confirmed"]
    exit_code: int


class ErrorDocument(Document):
    """Standard output of any command with `--json` that failed."""

    type: Literal["error"] = "error"
    format_version: str = FORMAT_VERSION
    reconcile_version: str
    result: Literal["error"]
    error: ErrorItem
    exit_code: int


class DiagnosticItem(Document):
    """One error of the YAML; line and column count from 1."""

    file: str
    line: int
    column: int
    message: str
    hint: str


class ValidationDocument(Document):
    """`reconcile validate --json`."""

    format_version: str = FORMAT_VERSION
    reconcile_version: str
    valid: bool
    error_count: int
    diagnostics: list[DiagnosticItem]
    exit_code: int
