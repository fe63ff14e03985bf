"""The JSON that scripts read, as typed models; schemas/ is generated from these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from reconcile.engine.drift_report import State
from reconcile.engine.model import ApplyResult, Cause, CheckStatus, Severity
from reconcile.output.escape import printable

FORMAT_VERSION = "1.0"
"""The minor number grows when keys are added, the major one when they change."""

ActionWord = Literal["create", "update", "delete", "no-op"]


class Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _encodable(cls, values: Any) -> Any:
        return encodable(values)


def encodable(value: Any) -> Any:
    """`value` with bytes that are no UTF-8 as `\\xNN`: JSON has no other place for them."""
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
    """What differs, and only that; null where there is nothing before or after."""

    actions: list[ActionWord]
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class ResourceChange(Document):
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
    address: str
    field: str
    values: list[str]
    places: list[str]


class FailedReading(Document):
    address: str
    reason: str


class FindingItem(Document):
    rule: str
    severity: Severity
    what: str
    evidence: list[str]
    fix: str
    apply_fixes: bool
    source: str


class BehaviourChangeItem(Document):
    request: str
    before: str
    after: str


class CheckItem(Document):
    name: str
    status: CheckStatus
    detail: str


class IgnoredChange(Document):
    """A difference that a rule of the YAML declares to be none; `until` is empty for always."""

    address: str
    field: str
    reason: str
    until: str


class Counts(Document):
    add: int
    change: int
    destroy: int
    ignored: int


class ErrorItem(Document):
    what: str
    why: str
    fix: str


class Head(Document):
    """What every document begins with."""

    format_version: str = FORMAT_VERSION
    reconcile_version: str
    host: str
    timestamp: str = Field(description="RFC 3339, UTC")


class PlanDocument(Head):
    """`reconcile plan --json`."""

    config: ConfigFile | None
    fingerprint: str
    partial: bool
    resource_changes: list[ResourceChange]
    conflicts: list[ResourceConflict]
    unknown: list[FailedReading]
    behaviour_changes: list[BehaviourChangeItem]
    findings: list[FindingItem]
    ignored_changes: list[IgnoredChange]
    checks: list[CheckItem]
    summary: Counts
    result: Literal["planned"]
    exit_code: int


class DeviationItem(Document):
    """One field that is not as declared; `*` is all of a resource."""

    address: str
    field: str
    cause: Cause
    first_seen: str = Field(description="RFC 3339, UTC")


class DriftDocument(PlanDocument):
    """`reconcile drift --json`: the plan, and how the host fares."""

    in_sync: bool
    healthy: bool
    state: State
    first_seen: str | None = Field(description="Since when anything differs")
    last_success: str | None = Field(description="When all was well for the last time")
    deviations: list[DeviationItem]
    applying: str = Field(description="Who was applying meanwhile, empty if nobody")
    mended: list[str] = Field(description="Addresses that --heal mended just before")
    elapsed_s: float


class VerifyDocument(Head):
    """`reconcile verify --json`."""

    checks: list[CheckItem]
    healthy: bool
    result: Literal["verified", "incomplete", "failed"]
    exit_code: int


class HistoryChange(Document):
    address: str
    action: str
    cause: str


class HistoryItem(Document):
    """One apply; `at` is in UTC."""

    number: int
    at: str
    user: str
    command: str
    git_commit: str | None
    result: str
    changes: list[HistoryChange]
    config_digest: str
    fingerprint: str
    error: str
    duration_s: float


class HistoryDocument(Head):
    """`reconcile history --json`; `problems` tells where the record was edited or shortened."""

    entries: list[HistoryItem]
    problems: list[str]
    exit_code: int


class StateItem(Document):
    """One row of the ledger: digests of what was last written, never a content."""

    address: str
    kind: str
    name: str
    sites: list[str]
    created: bool
    protected: bool
    since: str
    digests: dict[str, str]


class StateDocument(Head):
    """`reconcile state list|show|forget --json`."""

    resources: list[StateItem]
    forgotten: list[str]
    exit_code: int


class GraphItem(Document):
    """A resource, and the addresses of those that have to be there before it."""

    address: str
    requires: list[str]


class GraphDocument(Head):
    """`reconcile graph --json`."""

    resources: list[GraphItem]
    exit_code: int


class WrittenDocument(Document):
    """`reconcile init --json` and `reconcile schema --write DIR --json`."""

    format_version: str = FORMAT_VERSION
    reconcile_version: str
    files: list[str]
    result: Literal["written"] = "written"
    exit_code: int = 0


class DemoDocument(Document):
    """`reconcile demo --json`; `address` is what to type while it is `running`."""

    format_version: str = FORMAT_VERSION
    reconcile_version: str
    folder: str
    running: bool
    address: str
    port: int | None
    exit_code: int = 0


class ScheduleDocument(Head):
    """`reconcile schedule install|status|remove --json`: how it stands now.

    `by` and `next_run` are empty where there is none.
    """

    installed: bool
    by: str
    next_run: str
    last_run: str | None
    last_state: State | None
    last_success: str | None
    exit_code: int


class ErrorDocument(Document):
    """Standard output of any command with `--json` that ended in an error."""

    type: Literal["error"] = "error"
    format_version: str = FORMAT_VERSION
    reconcile_version: str
    result: Literal["error"]
    error: ErrorItem
    exit_code: int


class DiagnosticItem(Document):
    """One fault of the YAML; line and column count from 1."""

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


class PlannedChange(Document):
    type: Literal["planned_change"]
    change: ResourceChange


class Step(Document):
    """A change that begins, is done, or could not be done."""

    type: Literal["apply_start", "apply_complete", "apply_errored"]
    address: str
    action: ActionWord
    message: str
    elapsed_s: float


class Told(Document):
    """A step of a roll-back, or a note."""

    type: Literal["rollback", "note"]
    address: str | None
    message: str


class Checked(Document):
    type: Literal["check"]
    check: CheckItem


class Summary(Head):
    """The last line of `reconcile apply --json`."""

    type: Literal["summary"]
    config: ConfigFile | None
    fingerprint: str
    checks: list[CheckItem]
    notes: list[str]
    error: ErrorItem | None
    summary: Counts
    elapsed_s: float
    result: ApplyResult
    exit_code: int


ApplyLine = Annotated[
    PlannedChange | Step | Told | Checked | Summary | ErrorDocument, Field(discriminator="type")
]
"""One line of `reconcile apply --json`."""


class LogLine(Document):
    """A line of `--log-json`: one call that reached the host."""

    time: str
    event: Literal["reading", "effect", "command", "request"]
    call: str = Field(description="Part and method: files.write")
    arguments: dict[str, str] = Field(description="Paths, names and modes; nothing secret")
    outcome: str = Field(description="What the result is, never its content")
    error: str = Field(description='"" where the call did not fail')
    elapsed_ms: float
