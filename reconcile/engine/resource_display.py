"""How a kind of resource is shown to people; the defaults show every field as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from reconcile.engine.model import Action, FieldChange
    from reconcile.engine.resource import Resource
    from reconcile.system import Host


class ResourceDisplay:
    """Optional texts of a resource in a plan."""

    opaque: ClassVar[frozenset[str]] = frozenset()
    """Fields whose values mean nothing to people: a plan shows `why` they differ instead."""

    def summary(self, action: Action) -> str:  # noqa: ARG002
        """What is shown beside the address of a creation or deletion; may be ""."""
        return ""

    def why(self, change: FieldChange) -> str:  # noqa: ARG002
        """Why that field differs, in words of this kind; "" if its name says enough."""
        return ""

    def items(self, field: str) -> Sequence[tuple[Action, str]] | None:  # noqa: ARG002
        """The items of a field that lists changes below this; None for any other field."""
        return None

    def unknown_fields(self) -> frozenset[str]:
        """Observed: fields whose values only the apply will know."""
        return frozenset()

    def legible(self, text: str) -> str:
        """A text of this without what changes at every apply and means nothing to people."""
        return text

    def removed_text(self, host: Host) -> str | None:  # noqa: ARG002
        """What goes with its removal, where that is a text without secrets. Errors: HostError."""
        return None

    def files_removed(self, after: Resource | None) -> int:  # noqa: ARG002
        """How many files the change from this, as observed, to `after` removes."""
        return 0

    def file_count(self) -> int:
        """How many files this has inside, as observed; 0 where it is not made of files."""
        return 0
