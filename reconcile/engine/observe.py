"""Reading the host, each resource in the world that the changes before it will leave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from reconcile.dataclass import dataclass
from reconcile.engine.claims import Claims
from reconcile.engine.diff import differences
from reconcile.engine.ledger import LedgerRow, Rows
from reconcile.engine.model import Change, Declared, Desired, Finding, Unknown
from reconcile.engine.order import in_order
from reconcile.engine.planner import is_removable, why_kept
from reconcile.engine.resource import Ref, Resource
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import in_one_line
from reconcile.filesystem.path import upwards
from reconcile.filesystem.planned_entry import ABSENT

if TYPE_CHECKING:
    from reconcile.system.planned_host import PlannedHost

Reading = Resource | Unknown | None
MakeResource = Callable[[Ref], Resource]
Compare = Callable[[Declared, Reading], tuple[Declared, Reading]]
"""The desired and the observed resource without the differences that are ignored."""


def compare_all(declared: Declared, reading: Reading) -> tuple[Declared, Reading]:
    """Where nothing is ignored."""
    return declared, reading


@dataclass(frozen=True)
class Observation:
    """What was observed of every resource: as it is, None if absent, Unknown if unreadable."""

    readings: dict[Ref, Reading] = field(default_factory=dict)
    created: dict[Ref, Resource] = field(default_factory=dict)
    """Each resource that is absent, with what creating it will do."""
    held: frozenset[Ref] = frozenset()
    """What is no longer declared, and whose path another desired resource claims: it stays
    owned, and is removed once nothing claims it."""
    findings: tuple[Finding, ...] = ()
    """The warnings of each resource that is absent."""


def observe(
    desired: Desired,
    undeclared: Rows,
    make: MakeResource,
    world: PlannedHost,
    *,
    claims: Claims | None = None,
    compare: Compare = compare_all,
    bind_contents: bool = False,
) -> Observation:
    """Observe `desired` and the rows `undeclared`, in the order in which they will be changed.

    Each is read in `world`, which then gets what its change will leave: so a service sees its
    planned unit file, nginx its planned configuration, a copy its source behind a planned link.
    `claims` are those of the whole configuration, where `desired` is a part of it.
    `bind_contents`: read all that will be copied, for a plan that holds its contents' digests.
    """
    claims = claims or Claims(desired, world)
    return _Fold(desired, make, world, claims, compare, bind_contents).observe(undeclared)


class _Fold:
    def __init__(
        self,
        desired: Desired,
        make: MakeResource,
        world: PlannedHost,
        claims: Claims,
        compare: Compare,
        bind_contents: bool,
    ) -> None:
        self._desired, self._make, self._world = desired, make, world
        self._claims, self._compare, self._bind_contents = claims, compare, bind_contents
        self._readings: dict[Ref, Reading] = {}
        self._held: set[Ref] = set()
        self._rows: Rows = {}
        self._protected = {ref.name for ref, item in desired.items() if item.resource.protected}
        self._leaving: set[Ref] = set()
        """What is no longer declared and, as far as it was read, will be removed."""
        self._prepared: set[type[Resource]] = set()

    def observe(self, undeclared: Rows) -> Observation:
        """See the function of that name."""
        self._rows = undeclared
        # What is protected stays, and so does every directory above it.
        self._leaving = {ref for ref, row in undeclared.items() if not row.protected}
        self._protected |= {ref.name for ref in undeclared.keys() - self._leaving}
        dropped = dict(self._undeclared_resources(undeclared))
        declared = {ref: item.resource for ref, item in self._desired.items()}
        by_kind = _by_kind([*declared.values(), *dropped.values()])
        for ref in _order(declared, dropped):
            resource = declared.get(ref) or dropped[ref].sparing(self._claims, self._world)
            reading = self._read(resource, by_kind[type(resource)])
            self._readings[ref] = reading
            self._plan(ref, resource, reading)
        created = self._created()
        return Observation(
            self._readings,
            created,
            frozenset(self._held),
            tuple(self._warnings(created)),
        )

    def _undeclared_resources(self, refs: Iterable[Ref]) -> Iterator[tuple[Ref, Resource]]:
        """Resources known by name only; Unknown where this version lacks the kind."""
        for ref in refs:
            try:
                yield ref, self._make(ref)
            except (KeyError, ValueError):
                self._readings[ref] = Unknown(ref, f"this version has no kind {ref.kind}")

    def _read(self, resource: Resource, kind: list[Resource]) -> Reading:
        try:
            if type(resource) not in self._prepared:
                type(resource).prepare(self._world, kind)
                self._prepared.add(type(resource))
            observed = resource.observe(self._world)
            return None if observed is None else self._bound(observed)
        except (ReconcileError, OSError) as error:
            return Unknown(resource.ref, in_one_line(error))

    def _plan(self, ref: Ref, resource: Resource, reading: Reading) -> None:
        """Lay over the world what the change of this resource will leave."""
        if isinstance(reading, Unknown):
            return
        declared = self._desired.get(ref)
        if declared is None:
            if reading is not None and reading.is_name_removed:
                self._plan_removal(ref, reading)
            elif reading is not None and self._will_be_removed(reading, self._rows[ref]):
                self._plan_below(reading)
            return
        if isinstance(reading, Resource):
            self._plan_below(reading)
        self._plan_own(ref, resource, declared, reading)

    def _plan_below(self, reading: Resource) -> None:
        """Lay over the world what its change will leave below its own path."""
        for path in reading.pruned_paths():
            self._world.files.plan(path, ABSENT)
        for path, cause in reading.rewritten_paths():
            self._world.files.rewritten[path] = cause

    def _plan_own(
        self, ref: Ref, resource: Resource, declared: Declared, reading: Resource | None
    ) -> None:
        """Lay over the world what its change will leave at its own path."""
        entry = resource.planned_entry()
        if entry is None and not resource.sets_permissions:
            return
        wanted, observed = self._compare(declared, reading)
        before = observed if isinstance(observed, Resource) else None
        if before is not None and not differences(before, wanted.resource):
            return
        if entry is not None:
            self._world.files.plan(ref.name, entry)
            given = wanted.resource.planned_ownership(self._world, before)
            if given is not None:
                self._world.files.plan_ownership(ref.name, given)
        if resource.sets_permissions:
            self._world.files.plan_permissions(ref.name)

    def _plan_removal(self, ref: Ref, reading: Resource) -> None:
        holder = self._claims.holder(ref.name)
        # What takes the place of another thing holds nothing of it.
        if holder is not None and holder.form in ("", reading.form):
            self._held.add(ref)
        elif self._will_be_removed(reading, self._rows[ref]):
            self._world.files.plan(ref.name, ABSENT)
        else:
            self._leaving.discard(ref)

    def _will_be_removed(self, reading: Resource, row: LedgerRow) -> bool:
        if any(path in self._protected for path in upwards(reading.name)):
            return False
        return is_removable(reading, row) and not why_kept(reading, row, frozenset(self._leaving))

    def _absent(self) -> Iterator[Resource]:
        return (
            item.resource
            for ref, item in self._desired.items()
            if ref in self._readings and self._readings[ref] is None
        )

    def _created(self) -> dict[Ref, Resource]:
        created: dict[Ref, Resource] = {}
        for item in [*self._absent()]:
            try:
                created[item.ref] = self._bound(item.planned(self._world))
            except (ReconcileError, OSError) as error:
                self._readings[item.ref] = Unknown(item.ref, in_one_line(error))
        return created

    def _bound(self, resource: Resource) -> Resource:
        return resource.bound(self._world) if self._bind_contents else resource

    def _warnings(self, created: Mapping[Ref, Resource]) -> Iterator[Finding]:
        for item in self._absent():
            yield from created.get(item.ref, item).preflight_warnings(self._world)


def _by_kind(resources: Iterable[Resource]) -> dict[type[Resource], list[Resource]]:
    kinds: dict[type[Resource], list[Resource]] = {}
    for resource in resources:
        kinds.setdefault(type(resource), []).append(resource)
    return kinds


def _order(declared: Mapping[Ref, Resource], dropped: Mapping[Ref, Resource]) -> Iterator[Ref]:
    """The order of the changes, were everything changed."""
    changes = (
        *(Change(ref, None, item) for ref, item in declared.items()),
        *(Change(ref, item, None) for ref, item in dropped.items()),
    )
    return (change.ref for change in in_order(changes))
