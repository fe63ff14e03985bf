"""The words of the engine: references, resources, changes, plans and reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict

from reconcile.errors import ExitCode

if TYPE_CHECKING:
    from reconcile.host import Host

Cause = Literal["drift", "pending", "both"]
Action = Literal["create", "update", "delete", "no-op"]
CheckStatus = Literal["pass", "fail", "unknown", "skipped"]
Severity = Literal["error", "warning", "note"]
ApplyResult = Literal["no_changes", "applied", "rolled_back", "failed"]


class Ref(NamedTuple):
    """The address of a resource, written `kind:name`."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> Ref:
        kind, _, name = text.partition(":")
        return cls(kind, name)


class Place(NamedTuple):
    """Where in the YAML something was said; line and column count from 1."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Resource(BaseModel):
    """One thing on the host, desired or observed: the same type serves both.

    In a desired resource a field that is None is not managed. In an observed
    one every field that was asked for holds what is there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    order: ClassVar[int]
    removal_order: ClassVar[int]
    when_undeclared: ClassVar[Literal["remove", "forget"]] = "remove"
    about: ClassVar[frozenset[str]] = frozenset({"kind"})
    """Fields that say which thing is meant or how to treat it; never a difference."""

    @property
    def name(self) -> str:
        raise NotImplementedError(f"{type(self).__name__} has no name")

    @property
    def ref(self) -> Ref:
        return Ref(self.kind, self.name)

    @classmethod
    def of(cls, name: str) -> Self:
        """The least resource of that name: enough to observe and remove it."""
        raise NotImplementedError(f"{cls.__name__} cannot be made of a name")

    @classmethod
    def prepare(cls, host: Host, resources: Sequence[Self]) -> None:
        """Read at once what `observe` of all `resources` will need."""

    def requires(self) -> frozenset[Ref]:
        """What has to be in place before this; refs outside the plan are ignored."""
        return frozenset()

    def observe(self, host: Host) -> Self | None:
        """What is there now, None where absent. Changes nothing."""
        raise NotImplementedError

    def completed(self, before: Self | None) -> Self:
        """This with every unmanaged field filled from what is there."""
        if before is None:
            return self
        unmanaged = {
            name: getattr(before, name)
            for name in type(self).model_fields
            if getattr(self, name) is None and getattr(before, name) is not None
        }
        return self.model_copy(update=unmanaged) if unmanaged else self

    def rehearse(self, host: Host, changes: Sequence[Change]) -> None:
        """Refuse now, before anything live changes, what could not hold afterwards."""

    def put(self, host: Host, before: Self | None) -> None:
        """Make the host as this says; `self` is completed, `before` was just observed."""
        raise NotImplementedError

    def reread(self, host: Host, before: Self | None) -> Self | None:
        """What is there after `put`, read anew."""
        return self.observe(host)

    def remove(self, host: Host) -> None:
        """Take this off the host; never anything that is not ours."""
        raise NotImplementedError

    def managed(self) -> dict[str, Any]:
        """Field → value of everything that can differ and is managed."""
        return {
            name: value
            for name in type(self).model_fields
            if name not in self.about and (value := getattr(self, name)) is not None
        }

    def shown(self) -> dict[str, Any]:
        """Field → JSON value as a person should see it: quoted modes, no secrets."""
        return self.managed()


@dataclass(frozen=True)
class Unknown:
    """A reading that failed; never taken for absent, never for fine."""

    ref: Ref
    reason: str


@dataclass(frozen=True)
class Declared:
    """A desired resource, with the sites that want it and the places that say so."""

    resource: Resource
    sites: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()


Desired = Mapping[Ref, Declared]
Observed = Mapping[Ref, Resource | Unknown | None]


@dataclass(frozen=True)
class Conflict:
    """Two declarations of one resource that cannot both hold."""

    ref: Ref
    field: str
    values: tuple[str, str]
    places: tuple[Place, ...]


@dataclass(frozen=True)
class FieldChange:
    """One field's way from `before` to `after`, as shown to people."""

    name: str
    before: Any
    after: Any
    cause: Cause = "pending"
    sensitive: bool = False


@dataclass(frozen=True)
class Change:
    """What would be done to one resource: before None = create, after None = delete."""

    ref: Ref
    before: Resource | None
    after: Resource | None
    cause: Cause = "pending"
    because: str = ""
    fields: tuple[FieldChange, ...] = ()
    sites: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()

    @property
    def action(self) -> Action:
        if self.before is None:
            return "create"
        if self.after is None:
            return "delete"
        return "update" if self.fields else "no-op"

    def inverse(self) -> Change:
        """The change that takes this one back."""
        back = tuple(
            FieldChange(f.name, f.after, f.before, f.cause, f.sensitive) for f in self.fields
        )
        return Change(self.ref, self.after, self.before, self.cause, "rolled back", back)


@dataclass(frozen=True)
class Finding:
    """Something that a person should know, beside what will be changed."""

    rule: str
    severity: Severity
    what: str
    evidence: tuple[str, ...] = ()
    fix: str = ""
    apply_fixes: bool = False
    source: str = ""


@dataclass(frozen=True)
class BehaviourChange:
    """A request that will be answered otherwise."""

    request: str
    before: str
    after: str


@dataclass(frozen=True)
class Check:
    """The result of one probe or reading."""

    name: str
    status: CheckStatus
    detail: str = ""


@dataclass(frozen=True)
class ConfigOrigin:
    """Which reconcile.yaml a plan comes from."""

    file: str
    digest: str
    git_commit: str | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that would be done, in order, and what it was computed from."""

    host: str
    changes: tuple[Change, ...]
    fingerprint: str
    conflicts: tuple[Conflict, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    findings: tuple[Finding, ...] = ()
    behaviour_changes: tuple[BehaviourChange, ...] = ()
    ignored: int = 0
    partial: bool = False
    config: ConfigOrigin | None = None

    def count(self, action: Action) -> int:
        return sum(change.action == action for change in self.changes)

    @property
    def empty(self) -> bool:
        return not self.changes

    def exit_code(self, *, detailed: bool) -> ExitCode:
        """1 where a reading failed or declarations conflict, 2 (if detailed) for changes."""
        if self.unknown or self.conflicts:
            return ExitCode.ERROR
        return ExitCode.CHANGES if detailed and self.changes else ExitCode.OK


@dataclass(frozen=True)
class Event:
    """A step of an apply, told while it happens."""

    type: Literal[
        "planned_change", "apply_start", "apply_complete", "apply_errored", "rollback", "check",
        "note",
    ]
    change: Change | None = None
    check: Check | None = None
    message: str = ""
    elapsed_s: float = 0.0


@dataclass(frozen=True)
class Report:
    """What an apply did, and how the host stands after it."""

    plan: Plan
    result: ApplyResult
    done: tuple[Change, ...] = ()
    checks: tuple[Check, ...] = ()
    error: str = ""
    why: str = ""
    fix: str = ""
    elapsed_s: float = 0.0
    notes: tuple[str, ...] = field(default=())

    def exit_code(self, *, detailed: bool) -> ExitCode:
        """3 for failed verification that was rolled back, 1 for any other failure."""
        if self.result == "failed":
            return ExitCode.ERROR
        if self.result == "rolled_back":
            return ExitCode.VERIFICATION_FAILED
        return ExitCode.CHANGES if detailed and self.done else ExitCode.OK


def failed(checks: Iterable[Check]) -> tuple[Check, ...]:
    """The checks that do not let an apply stand: failed, or not to be told."""
    return tuple(check for check in checks if check.status in ("fail", "unknown"))
