"""A host that is a dictionary, for what is pure logic."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import field, replace
from typing import Any, ClassVar, Literal, Self, cast

from reconcile.dataclass import dataclass
from reconcile.engine.ledger import LedgerRow
from reconcile.engine.model import Change, Declared, Desired, Observed, Plan
from reconcile.engine.observe import observe
from reconcile.engine.planner import make_plan
from reconcile.engine.resource import Ref, Resource
from reconcile.errors import ReconcileError
from reconcile.system import Host
from reconcile.system.planned_host import PlannedHost


@dataclasses.dataclass
class World:
    """Path → what is there; reading or changing a path in `broken` fails."""

    things: dict[str, Resource] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    stubborn: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)

    @property
    def host(self) -> Host:
        return cast(Host, self)


def world_of(host: Host) -> World:
    return cast(World, host)


@dataclass(frozen=True, kw_only=True)
class InWorld(Resource):
    path: str
    metadata_fields: ClassVar[frozenset[str]] = frozenset({"path", "stands_on"})
    stands_on: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.path

    def requires(self) -> frozenset[Ref]:
        return frozenset(Ref.parse(ref) for ref in self.stands_on)

    def observe(self, host: Host) -> Self | None:
        world = world_of(host)
        if self.path in world.broken:
            raise ReconcileError(f"{self.path} cannot be read", "I/O error")
        there = world.things.get(self.path)
        return there if isinstance(there, type(self)) else None

    def apply(self, host: Host, before: Self | None) -> None:
        world = world_of(host)
        world.calls.append(f"put {self.ref}")
        if self.path not in world.stubborn:
            world.things[self.path] = self

    def delete(self, host: Host) -> None:
        world = world_of(host)
        world.calls.append(f"remove {self.ref}")
        if self.path not in world.stubborn:
            del world.things[self.path]


@dataclass(frozen=True, kw_only=True)
class Note(InWorld):
    """A text with a colour."""

    kind: Literal["note"] = "note"
    text: str | None = None
    colour: str | None = None
    tags: dict[str, str] | None = None
    secret: bool = False
    order: ClassVar[int] = 20
    removal_order: ClassVar[int] = 60
    succeeded_by: ClassVar[frozenset[str]] = frozenset({"shelf"})
    metadata_fields: ClassVar[frozenset[str]] = InWorld.metadata_fields | {"secret"}

    @classmethod
    def from_name(cls, name: str) -> Self:
        return cls(path=name)

    def sensitive_fields(self) -> frozenset[str]:
        return frozenset({"text"}) if self.secret else frozenset()


@dataclass(frozen=True, kw_only=True)
class Shelf(InWorld):
    """Holds notes; removed only if we made it and nothing is on it."""

    kind: Literal["shelf"] = "shelf"
    colour: str | None = None
    holds: frozenset[str] = frozenset()
    order: ClassVar[int] = 10
    removal_order: ClassVar[int] = 99
    when_undeclared: ClassVar[Literal["remove", "remove_if_created", "forget"]] = (
        "remove_if_created"
    )
    writes_contents: ClassVar[bool] = False
    metadata_fields: ClassVar[frozenset[str]] = InWorld.metadata_fields | {"holds"}

    @classmethod
    def from_name(cls, name: str) -> Self:
        return cls(path=name)

    def observe(self, host: Host) -> Self | None:
        there = super().observe(host)
        below = {p for p in world_of(host).things if p.startswith(self.path + "/")}
        return there and replace(there, holds=frozenset(below))

    def why_not_removable(self, leaving: frozenset[Ref]) -> str:
        left = self.holds - {ref.name for ref in leaving}
        return f"it still holds {', '.join(sorted(left))}" if left else ""


@dataclass(frozen=True, kw_only=True)
class Clock(InWorld):
    """Nothing that could be removed."""

    kind: Literal["clock"] = "clock"
    hour: int | None = None
    order: ClassVar[int] = 90
    removal_order: ClassVar[int] = 90
    when_undeclared: ClassVar[Literal["remove", "remove_if_created", "forget"]] = "forget"

    @classmethod
    def from_name(cls, name: str) -> Self:
        return cls(path=name)


KINDS: dict[str, Callable[[str], Resource]] = {
    "note": Note.from_name,
    "shelf": Shelf.from_name,
    "clock": Clock.from_name,
}


def make(ref: Ref) -> Resource:
    return KINDS[ref.kind](ref.name)


def declare(*resources: Resource, site: str = "shop") -> dict[Ref, Declared]:
    return {item.ref: Declared(item, (site,)) for item in resources}


def a_world(*resources: InWorld) -> World:
    return World({item.path: item for item in resources})


def last_wrote(*resources: Resource, created: bool = True) -> dict[Ref, LedgerRow]:
    """The ledger rows of an apply that wrote these."""
    return {
        item.ref: LedgerRow(
            ("shop",), created, item.protected, item.digests(), "2026-01-01T00:00:00Z"
        )
        for item in resources
    }


def observe_world(world: World, desired: Desired, owned: dict[Ref, LedgerRow]) -> Observed:
    undeclared = {ref: owned[ref] for ref in sorted(owned.keys() - desired.keys())}
    return observe(desired, undeclared, make, cast(PlannedHost, world)).readings


def planned(
    world: World, desired: Desired, owned: dict[Ref, LedgerRow] | None = None, **more: Any
) -> Plan:
    rows = owned or {}
    return make_plan(desired, observe_world(world, desired, rows), rows, host="web1", **more)


def carry_out(world: World, changes: Sequence[Change]) -> None:
    for change in changes:
        if change.after is None:
            change.subject.delete(world.host)
        else:
            change.after.apply(world.host, change.before)


def addresses(of: Plan) -> list[str]:
    return [str(change.ref) for change in of.changes]
