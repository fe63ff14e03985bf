"""What every kind of resource defines."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, Self

from reconcile.engine.resource_display import ResourceDisplay
from reconcile.engine.resource_hooks import ResourceHooks
from reconcile.engine.resource_state import Cause as Cause
from reconcile.engine.resource_state import Owner as Owner
from reconcile.engine.resource_state import ResourceState

if TYPE_CHECKING:
    from reconcile.system import Host


class Ref(NamedTuple):
    """The address of a resource, written `kind:name`."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> Ref:
        """The address written as `text`."""
        kind, _, name = text.partition(":")
        return cls(kind, name)


class Resource(ResourceHooks, ResourceDisplay, ResourceState):
    """One thing on the host; the same class holds what is desired and what was observed."""

    order: ClassVar[int]
    """Where nothing requires otherwise, what has a lower number is changed first."""
    removal_order: ClassVar[int]
    """The same for removals."""
    when_undeclared: ClassVar[Literal["remove", "remove_if_created", "forget"]] = "remove"
    """`remove_if_created`: removed only where we made it, left where we took it over."""

    @property
    def name(self) -> str:
        """Its name among its kind, such as a path."""
        raise NotImplementedError(f"{type(self).__name__} has no name")

    @property
    def ref(self) -> Ref:
        """Its address."""
        return Ref(self.kind, self.name)

    @classmethod
    def from_name(cls, name: str) -> Self:
        """The resource of that name, with what is needed to observe and delete it."""
        raise NotImplementedError(f"{cls.__name__} cannot be made of a name")

    @property
    def removal_rank(self) -> int:
        """Its place among the removals: the order of its kind, unless this one differs."""
        return self.removal_order

    def requires(self) -> frozenset[Ref]:
        """What has to exist before this; refs outside of the plan are ignored."""
        return frozenset()

    def observe(self, host: Host) -> Self | None:
        """What exists now, None if absent. Changes nothing. Errors: ReconcileError, OSError."""
        raise NotImplementedError

    def apply(self, host: Host, before: Self | None) -> None:
        """Make the host match this; no field is None, `before` was just observed."""
        raise NotImplementedError

    def apply_but_removals(self, host: Host, before: Self | None) -> None:
        """`apply`, but for the removal of `pruned_paths`, and what `waits_for_switch`."""
        self.apply(host, before)

    def apply_removals(self, host: Host, before: Self) -> None:
        """What `apply_but_removals` leaves to do once every other change is made."""

    def refresh(self, host: Host, before: Self | None) -> Self | None:  # noqa: ARG002
        """What exists after `apply`."""
        return self.observe(host)

    def delete(self, host: Host) -> None:
        """Remove this from the host; never anything that reconcile does not own."""
        raise NotImplementedError
