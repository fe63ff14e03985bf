"""The values of the engine: declarations, changes, findings, checks and plans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from reconcile.dataclass import dataclass
from reconcile.engine.behaviour_change import BehaviourChange
from reconcile.engine.resource import Cause as Cause
from reconcile.engine.resource import Ref as Ref
from reconcile.engine.resource import Resource as Resource
from reconcile.errors import ExitCode, ReconcileError

if TYPE_CHECKING:
    from reconcile.engine.host_hold import Hold

Action = Literal["create", "update", "delete", "no-op"]
CheckStatus = Literal["pass", "fail", "unknown", "skipped"]
Severity = Literal["error", "warning", "note"]
CAUSES: tuple[Cause, ...] = ("drift", "pending", "both")
Digests = Mapping[str, str]
_CONTRADICTIONS = {"name": "leads to users' data", "scope": "is claimed by two scopes"}
REVISION_SHOWN = 7


class Position(NamedTuple):
    """A position in the YAML; line and column count from 1."""

    file: str
    line: int
    column: int = 1
    revision: str = ""
    """The commit that the file was read from, where it was pulled."""

    def __str__(self) -> str:
        at = f" at {self.revision[:REVISION_SHOWN]}" if self.revision else ""
        return f"{self.file}:{self.line}{at}"


@dataclass(frozen=True)
class Unknown:
    """A reading that failed; never taken for absent or for in sync."""

    ref: Ref
    reason: str


@dataclass(frozen=True)
class Declared:
    """A desired resource, with the sites and positions that declare it."""

    resource: Resource
    sites: tuple[str, ...] = ()
    positions: tuple[Position, ...] = ()
    shared: bool = False
    """Whether configurations of other scopes may declare it, too."""
    guards: frozenset[str] = frozenset()
    """The entries with `prevent_destroy` that it belongs to."""


Desired = Mapping[Ref, Declared]
Observed = Mapping[Ref, Resource | Unknown | None]


@dataclass(frozen=True)
class Conflict:
    """Two declarations of one resource that contradict each other."""

    ref: Ref
    field: str
    values: tuple[str, str]
    positions: tuple[Position, ...]

    @property
    def contradiction(self) -> str:
        """What contradicts what, in words; a place is no value, but one of users' data."""
        return _CONTRADICTIONS.get(self.field, f"is declared twice: {self.field}")


@dataclass(frozen=True)
class FieldChange:
    """A field's value before and after, as shown to people."""

    name: str
    before: Any
    after: Any
    cause: Cause = "pending"
    sensitive: bool = False


@dataclass(frozen=True)
class Change:
    """The change of one resource; `before` None is a creation, `after` None a deletion."""

    ref: Ref
    before: Resource | None
    after: Resource | None
    cause: Cause = "pending"
    reason: str = ""
    fields: tuple[FieldChange, ...] = ()
    sites: tuple[str, ...] = ()
    positions: tuple[Position, ...] = ()
    moved: Ref | None = None
    """Where it comes from, or, removed, where it goes: a name of its site changed."""

    @property
    def action(self) -> Action:
        """What happens to the resource."""
        if self.moved is not None:
            return "update"
        if self.before is None:
            return "create"
        if self.after is None:
            return "delete"
        return "update" if self.fields else "no-op"

    @property
    def subject(self) -> Resource:
        """The resource that is created, updated or deleted."""
        resource = self.before if self.after is None else self.after
        if resource is None:
            raise ValueError(f"{self.ref} changes from nothing to nothing")
        return resource

    @property
    def files_removed(self) -> int:
        """How many files go: with what is destroyed, or inside of what is updated."""
        return 0 if self.before is None else self.before.files_removed(self.after)


T = TypeVar("T")


class Changes(tuple[Change, ...]):
    """The changes of a plan, in order."""

    @classmethod
    def of(cls, changes: Iterable[Change]) -> Changes:
        """`changes`, as they are where they are such a tuple already."""
        return changes if isinstance(changes, cls) else cls(changes)

    @cached_property
    def by_ref(self) -> Mapping[Ref, Change]:
        """The change of each resource that is changed."""
        return {change.ref: change for change in self}

    @cached_property
    def _once(self) -> dict[object, Any]:
        return {}

    def once(self, make: Callable[[Changes, Any], T], host: Any) -> T:
        """What `make` makes of all of them on `host`, which it makes once."""
        if make not in self._once:
            self._once[make] = make(self, host)
        found: T = self._once[make]
        return found


@dataclass(frozen=True)
class Ignored:
    """A difference that a rule ignores; `until` is a day, "" for no limit."""

    address: str
    field: str
    reason: str
    until: str = ""


@dataclass(frozen=True)
class Finding:
    """A problem or a note for a person, beside the changes.

    `cause`: what has to be fixed, the same for each finding that it leads to; "" where it is not
    known. `is_symptom`: it shows what a cause leads to, and does not name the cause.
    """

    rule: str
    severity: Severity
    what: str
    evidence: tuple[str, ...] = ()
    fix: str = ""
    apply_fixes: bool = False
    source: str = ""
    cause: str = ""
    is_symptom: bool = False


@dataclass(frozen=True)
class Check:
    """The result of one probe or reading; `before_apply` if it failed before and is no worse.

    With `warning` it passed, and its detail is for a person to act on. `expires` is when what it
    is about, such as a certificate, becomes invalid, in UTC.
    """

    name: str
    status: CheckStatus
    detail: str = ""
    before_apply: Literal["fail"] | None = None
    warning: bool = False
    expires: str | None = None

    @property
    def failed_before(self) -> bool:
        """Whether an apply is not to blame for its failure."""
        return self.before_apply is not None


@dataclass(frozen=True)
class ConfigOrigin:
    """The reconcile.yaml that a plan comes from."""

    file: str
    digest: str
    git_commit: str | None = None
    path: str = ""
    """The file, by its absolute path; of a commit it is the name in the repository."""


@dataclass(frozen=True)
class PlanInputs:
    """What a plan was computed from, as digests: enough to compare it and name what changed.

    `changes`: address → (digests of before, digests of after), None where absent.
    """

    host: str = ""
    version: str = ""
    config: str = ""
    changes: Mapping[str, tuple[Digests | None, Digests | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """All changes, in order, and what they were computed from."""

    host: str
    changes: tuple[Change, ...]
    fingerprint: str
    conflicts: tuple[Conflict, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    refusals: tuple[ReconcileError, ...] = field(default=(), compare=False)
    """Why an apply would refuse this plan."""
    findings: tuple[Finding, ...] = ()
    behaviour_changes: tuple[BehaviourChange, ...] = ()
    ignored: int = 0
    """How many differences are ignored; `ignored_changes` has each."""
    ignored_changes: tuple[Ignored, ...] = ()
    hold: Hold | None = None
    """Why an apply would wait, whatever the changes are."""
    partial: bool = False
    config: ConfigOrigin | None = None
    inputs: PlanInputs = field(default_factory=PlanInputs, repr=False)
    """What the fingerprint is the digest of."""
    desired: Desired = field(default_factory=dict, repr=False, compare=False)
    in_sync: Mapping[Ref, Resource] = field(default_factory=dict, repr=False, compare=False)
    """The observed state of resources that need no change."""
    released: frozenset[Ref] = field(default=frozenset(), repr=False)
    """Owned until this plan is applied."""

    def count(self, action: Action) -> int:
        """How many changes have this action."""
        return sum(change.action == action for change in self.changes)

    @property
    def deletions(self) -> int:
        """How many resources it destroys, and files inside of any; a file resource counts once."""
        inside = (change.files_removed for change in self.changes if change.subject.writes_inside)
        return self.count("delete") + sum(inside)

    def exit_code(self, *, detailed: bool) -> ExitCode:
        """1 where an apply would refuse the plan, 2 (if detailed) for changes."""
        if self.unknown or self.conflicts or self.refusals:
            return ExitCode.ERROR
        return ExitCode.CHANGES if detailed and self.changes else ExitCode.OK
