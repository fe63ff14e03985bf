"""The JSON documents that a page is made of, read tolerantly: unknown keys are ignored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from posixpath import basename
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from reconcile.errors import ReconcileError
from reconcile.wording import first_few

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


def read_documents(data: bytes, name: str) -> list[HostDocument]:
    """The documents in a file: one, those of a fleet, or the events of one apply.

    Errors: ReconcileError for anything else.
    """
    if len(data) > MOST_BYTES:
        raise _unreadable(
            name, f"it has more than {MOST_BYTES >> 20} MiB", "Pass one file per host."
        )
    try:
        return list(_documents(_parsed(data), name))
    except ValidationError as error:
        reasons = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise _unreadable(name, first_few(reasons)) from None
    except (ValueError, RecursionError) as error:
        raise _unreadable(name, str(error) or "it is nested too deeply") from None


def failed_document(name: str, error: ReconcileError) -> HostDocument:
    """A document for a file that could not be read, so that the page shows its host as unknown."""
    part = ErrorPart(what=error.what, why=error.why, fix=error.fix)
    return HostDocument(format_version="1.0", host=_host_of(name), state="unknown", error=part)


def _host_of(name: str) -> str:
    """The host that a file is named after."""
    return basename(name).removesuffix(".json") or name


def _unreadable(name: str, why: str, fix: str = "") -> ReconcileError:
    return ReconcileError(
        f"{name} cannot be shown",
        why,
        fix or "Pass what plan, drift, verify, doctor, history or apply print with --json.",
    )


def _parsed(data: bytes) -> list[dict[str, Any]]:
    """The object of the file, or the objects of its lines."""
    text = data.decode("utf-8", "replace")
    if not text.strip():
        raise ValueError("it is empty")
    try:
        found = _objects(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error}") from None
    if not all(isinstance(one, dict) for one in found):
        raise ValueError("it is not a JSON object")
    return found


def _objects(text: str) -> list[Any]:
    try:
        return [json.loads(text)]
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]


def _documents(objects: Sequence[dict[str, Any]], name: str) -> Iterator[HostDocument]:
    if len(objects) > 1 and any(one.get("type") == "summary" for one in objects):
        yield _apply_document(objects)
        return
    for one in objects:
        if isinstance(one.get("hosts"), dict):
            yield from _fleet_documents(one, name)
        else:
            yield _document(one, name)


def _document(found: dict[str, Any], name: str) -> HostDocument:
    if not any(key in found for key in KNOWN):
        raise ValueError("it is JSON, but not a document of a host")
    if found.get("type") == "summary":
        return _apply_document([found])
    # An error knows no host.
    return HostDocument.model_validate({"host": _host_of(name), **found})


def _apply_document(events: Sequence[dict[str, Any]]) -> HostDocument:
    """What is left of a plan after its apply: nothing where that succeeded."""
    [summary] = [one for one in events if one.get("type") == "summary"][-1:]
    changes = [one.get("change") for one in events if one.get("type") == "planned_change"]
    left = [] if summary.get("result") in DONE else changes
    state = {"state": ""} if left else {}
    return HostDocument.model_validate({**summary, **state, "resource_changes": left})


def _fleet_documents(fleet: dict[str, Any], name: str) -> Iterator[HostDocument]:
    common: dict[str, Any] = {
        key: fleet[key] for key in ("format_version", "timestamp") if key in fleet
    }
    for host, entry in fleet["hosts"].items():
        if not isinstance(entry, dict):
            raise ValueError(f"hosts.{host} is not an object")
        document = entry.get("document")
        if isinstance(document, dict) and any(key in document for key in KNOWN):
            yield _document({**common, **document, "host": host}, name)
        else:
            state = str(entry.get("state", "unknown")).replace("_", " ").capitalize()
            error = {"what": f"{state}: {entry.get('problem') or 'no answer'}"}
            yield HostDocument.model_validate({**common, "host": host, "error": error})
