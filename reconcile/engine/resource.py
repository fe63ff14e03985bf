"""What the engine asks of a thing on the host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict

from reconcile.engine.digest import digest

if TYPE_CHECKING:
    from reconcile.engine.model import Action, Change, FieldChange, Finding
    from reconcile.system import Host

Cause = Literal["drift", "pending", "both"]


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


class Resource(BaseModel):
    """One thing on the host, desired or observed: the same type serves both.

    In a desired resource a field that is None is not managed. In an observed
    one every field that was asked for holds what is there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    protected: bool = False
    """Other people's data: never removed, and nothing below it written over."""

    order: ClassVar[int]
    removal_order: ClassVar[int]
    when_undeclared: ClassVar[Literal["remove", "remove_if_created", "forget"]] = "remove"
    """`remove_if_created`: removed only where we made it, left where we took it over."""
    succeeded_by: ClassVar[frozenset[str]] = frozenset()
    """Kinds that take over what this leaves, when declared under the same name."""
    writes_contents: ClassVar[bool] = True
    """Whether this replaces contents at its path, as against owners, modes or processes."""
    writes_inside: ClassVar[bool] = False
    """Whether this writes into the directory of its name, be that a symlink to one."""
    metadata_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields that say which thing is meant or how to treat it; never a difference."""
    opaque: ClassVar[frozenset[str]] = frozenset()
    """Fields whose values say nothing to people: a plan shows `why` they differ, and no value."""

    @property
    def name(self) -> str:
        raise NotImplementedError(f"{type(self).__name__} has no name")

    @property
    def ref(self) -> Ref:
        return Ref(self.kind, self.name)

    @classmethod
    def from_name(cls, name: str) -> Self:
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

    def source_digest(self, host: Host) -> str:  # noqa: ARG002
        """A digest of what `put` would copy from elsewhere, "" where it copies nothing.

        Asked where nothing is there yet: later, `observe` sees every difference.
        """
        return ""

    def preflight_warnings(self, host: Host) -> tuple[Finding, ...]:  # noqa: ARG002
        """What a person should know before this is made: asked where nothing is there yet."""
        return ()

    def with_defaults_from(self, before: Self | None) -> Self:
        """This with every unmanaged field filled from what is there."""
        if before is None:
            return self
        unmanaged = {
            name: getattr(before, name)
            for name in type(self).model_fields
            if getattr(self, name) is None and getattr(before, name) is not None
        }
        return self.model_copy(update=unmanaged) if unmanaged else self

    def preflight(self, host: Host, changes: Sequence[Change]) -> Sequence[str]:  # noqa: ARG002
        """Refuse now, before anything live changes, what could not hold afterwards.

        What is returned is told to the user: in which way less could be tried than usual.
        """
        return ()

    def apply(self, host: Host, before: Self | None) -> None:
        """Make the host as this says; `self` is completed, `before` was just observed."""
        raise NotImplementedError

    def refresh(self, host: Host, before: Self | None) -> Self | None:  # noqa: ARG002
        """What is there after `put`, read anew."""
        return self.observe(host)

    def delete(self, host: Host) -> None:
        """Take this off the host; never anything that is not ours."""
        raise NotImplementedError

    def may_write(self, below: str) -> bool:  # noqa: ARG002
        """Whether this may write over or remove what lies at `below`, a path below its own."""
        return False

    def why_not_removable(self, leaving: frozenset[Ref]) -> str:  # noqa: ARG002
        """Why this, as observed, is left in place once `leaving` are gone; "" where it is not."""
        return ""

    def findings(self) -> tuple[Finding, ...]:
        """What was seen while observing that a person should know, beside any difference."""
        return ()

    def managed(self) -> dict[str, Any]:
        """Field → value of everything that can differ and is managed."""
        ignored = self.metadata_fields | {"kind", "protected"}
        return {
            name: value
            for name in type(self).model_fields
            if name not in ignored and (value := getattr(self, name)) is not None
        }

    def ignorable(self) -> frozenset[str]:
        """Fields whose difference may be declared to be none."""
        return frozenset(self.managed())

    def ignoring(self, field: str, observed: Self) -> tuple[Self, Self] | None:
        """What is asked, and what counts as seen, once `field` may be as it is.

        None where it does not differ anyway.
        """
        if field not in self.managed() or getattr(self, field) == getattr(observed, field):
            return None
        return self.model_copy(update={field: getattr(observed, field)}), observed

    def display(self) -> dict[str, Any]:
        """Field → JSON value as a person should see it: quoted modes, no secrets."""
        return self.managed()

    def summary(self, action: Action) -> str:  # noqa: ARG002
        """What stands beside the address where all of this is created or deleted; may be ""."""
        return ""

    def why(self, change: FieldChange) -> str:  # noqa: ARG002
        """Why that field differs, in words of this kind's own; "" where its name says enough."""
        return ""

    def items(self, field: str) -> Sequence[tuple[Action, str]] | None:  # noqa: ARG002
        """The value of a field that lists what is to be done below this; None for any other."""
        return None

    def legible(self, text: str) -> str:
        """A text of this without what changes at every apply and means nothing to people."""
        return text

    def files_removed(self, after: Resource | None) -> int:  # noqa: ARG002
        """How many files go on the way from this, which was observed, to `after`."""
        return 0

    def sensitive_fields(self) -> frozenset[str]:
        """Managed fields whose values nobody may see."""
        return frozenset()

    def digests(self) -> dict[str, str]:
        """Name → digest of all that a plan is bound to and the ledger remembers.

        A kind whose fields tell only a part (the first deviations of a tree)
        adds a name for the whole.
        """
        return {name: digest(value) for name, value in self.managed().items()}

    def ledger_digests(self, observed: Self) -> dict[str, str]:
        """The digests that the ledger keeps once `seen` is what this asks for."""
        unmanaged = type(self).model_fields.keys() - self.managed().keys()
        return {name: value for name, value in observed.digests().items() if name not in unmanaged}

    def cause(self, field: str, before: Self | None, written: Mapping[str, str]) -> Cause:
        """Who moved: the host left what was `written` last, or the YAML asks for something new."""
        if field not in written:
            return "pending"
        asked_anew = self.digests().get(field) != written[field]
        left = before is None or before.digests().get(field) != written[field]
        if asked_anew and left:
            return "both"
        return "pending" if asked_anew else "drift"
