"""The state of a thing on the host, desired or observed, and how two of them compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal, NamedTuple, Self

from reconcile.dataclass import dataclass, field_names
from reconcile.engine.digest import digest

Cause = Literal["drift", "pending", "both"]


class Owner(NamedTuple):
    """A user and a group, by name."""

    user: str
    group: str


@dataclass(frozen=True, kw_only=True)
class ResourceState:
    """The fields of a thing: in a desired state None is unmanaged, in an observed one unknown."""

    kind: str
    protected: bool = False
    """Other people's data: never removed, and nothing below it is overwritten."""

    metadata_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields that identify the thing or say how to treat it; they never differ."""

    def managed(self) -> dict[str, Any]:
        """Field → value of everything that is managed and can differ."""
        ignored = self.metadata_fields | {"kind", "protected"}
        return {
            name: value
            for name in field_names(type(self))
            if name not in ignored and (value := getattr(self, name)) is not None
        }

    def display(self) -> dict[str, Any]:
        """Field → JSON value for people, such as modes in octal; may hold secrets."""
        return self.managed()

    def sensitive_fields(self) -> frozenset[str]:
        """Managed fields whose values are never shown."""
        return frozenset()

    def digests(self) -> dict[str, str]:
        """Name → digest of everything that a plan depends on and the ledger records.

        A kind whose fields hold only a part, such as the first deviations of a tree, adds a
        name for the whole.
        """
        return {name: digest(value) for name, value in self.managed().items()}

    def cause(self, field: str, before: Self | None, written: Mapping[str, str]) -> Cause:
        """Why `field` differs: the host left what was `written` last, or the YAML changed."""
        if field not in written:
            return "pending"
        is_pending = self.digests().get(field) != written[field]
        has_drifted = before is None or before.digests().get(field) != written[field]
        if is_pending and has_drifted:
            return "both"
        return "pending" if is_pending else "drift"

    def with_defaults_from(self, before: Self) -> Self:
        """This state with every unmanaged field as it is now."""
        unmanaged = {
            name: getattr(before, name)
            for name in field_names(type(self))
            if getattr(self, name) is None and getattr(before, name) is not None
        }
        return replace(self, **unmanaged) if unmanaged else self

    def as_created(self, applier: Owner) -> Self:  # noqa: ARG002
        """This state with the defaults of a new thing, which belongs to `applier`."""
        return self

    def ignorable(self) -> frozenset[str]:
        """Fields that an ignore rule may name."""
        return frozenset(self.managed())

    def ignoring(self, field: str, observed: Self) -> tuple[Self, Self] | None:
        """What to compare, desired and observed, once `field` is ignored.

        None where it does not differ.
        """
        if field not in self.managed() or getattr(self, field) == getattr(observed, field):
            return None
        return replace(self, **{field: getattr(observed, field)}), observed
