"""What a kind of resource may override; the defaults do nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from reconcile.engine.claims import Claims
    from reconcile.engine.model import Change, Finding
    from reconcile.engine.resource import Ref
    from reconcile.engine.resource_state import Cause
    from reconcile.filesystem.free_space import NewFiles
    from reconcile.filesystem.inode import Ownership
    from reconcile.filesystem.planned_entry import Entry
    from reconcile.system import Host


class ResourceHooks:
    """Optional steps and properties of a resource."""

    succeeded_by: ClassVar[frozenset[str]] = frozenset()
    """Kinds that take over what this leaves, when declared under the same name."""
    writes_contents: ClassVar[bool] = True
    """Whether it replaces contents at its path, as opposed to owners, modes or processes."""
    writes_inside: ClassVar[bool] = False
    """Whether it writes into the directory of its name, even through a symlink."""

    sets_permissions: ClassVar[bool] = False
    """Whether it gives files at its name, or below, another owner or mode."""
    is_shared: ClassVar[bool] = False
    """Whether others change it at any moment, so that what differs after an apply is theirs."""
    has_consequences: ClassVar[bool] = True
    """Whether its change can make anything else differ, so that all is read again afterwards."""
    reveals_changes: ClassVar[bool] = False
    """Whether what it leaves decides other changes, which are planned once it is done."""
    is_switch: ClassVar[bool] = False
    """Whether visitors get to what was started before by it, once that has been checked."""
    form: ClassVar[str] = ""
    """What stands at the path of its name, where that can be one thing only."""
    is_name_removed: ClassVar[bool] = False
    """Whether nothing is left at the path of its name once it is removed."""

    def irreversible_steps(self) -> tuple[str, ...]:
        """What applying it does that no rollback undoes, in words."""
        return ()

    def within(self, chosen: frozenset[Ref]) -> Self:  # noqa: ARG002
        """What is desired of this where a plan changes only what is `chosen`."""
        return self

    def withheld(self) -> Finding | None:
        """Why it is left as it is, whatever that is; None for nearly all."""
        return None

    def planned_entry(self) -> Entry | None:
        """What its change leaves at the path of its name, where others read that."""
        return None

    def planned_ownership(self, host: Host, before: Self | None) -> Ownership | None:  # noqa: ARG002
        """The owner and mode that its change leaves, where they decide who writes below."""
        return None

    def record_unchanged(self, host: Host) -> None:
        """Observed, and without a change: record what later plans need to know of it."""

    @property
    def is_due_only(self) -> bool:
        """Whether all that differs are files that have outlived their time, which is no drift."""
        return False

    def pruned_paths(self) -> Iterable[str]:
        """Observed: the paths below its own that its change removes."""
        return ()

    def waits_for_switch(self) -> bool:
        """Observed: whether some of its change has to wait until visitors get all of the rest."""
        return False

    def rewritten_paths(self) -> Iterable[tuple[str, Cause]]:
        """Observed: the files below its own path that its change writes or removes, and why."""
        return ()

    def replaced_paths(self) -> Iterable[str]:
        """Observed: the paths below its own at which its change replaces or removes something."""
        return ()

    def new_files(self, host: Host, before: Self | None) -> NewFiles | None:  # noqa: ARG002
        """The files that its change writes, where they can take much space."""
        return None

    def repermitted_paths(self) -> Iterable[str]:
        """Observed: the paths below its own that its change gives another owner or mode."""
        return ()

    def left_alone(self, now: Self) -> bool:  # noqa: ARG002
        """Whether all that `now` differs in was left alone by the plan that observed this."""
        return False

    def needs_gone(self, path: str) -> bool:  # noqa: ARG002
        """Whether this, as observed, has to be changed after the removal of `path`."""
        return False

    def claims(self, path: str, host: Host) -> bool:  # noqa: ARG002
        """Whether this, as desired, holds `path`, which is its own or lies below it."""
        return False

    def passed_on(self) -> frozenset[str]:
        """For a removal: the paths that it wrote and that other resources hold from now on."""
        return frozenset()

    def sparing(self, claims: Claims, host: Host) -> Self:  # noqa: ARG002
        """The same, for its removal, without what is claimed by others."""
        return self

    @property
    def source_directory(self) -> str:
        """The directory whose contents it publishes; "" for none."""
        return ""

    @classmethod
    def prepare(cls, host: Host, resources: Sequence[Self]) -> None:
        """Read at once what `observe` of all `resources` will need."""

    def findings(self) -> tuple[Finding, ...]:
        """What was noticed while observing, beside any difference."""
        return ()

    def planned(self, host: Host) -> Self:  # noqa: ARG002
        """This, where it is absent, with what creating it will do."""
        return self

    def bound(self, host: Host) -> Self:  # noqa: ARG002
        """The same, observed or planned, bound to the contents that an apply will copy."""
        return self

    def effects_digest(self) -> str:
        """The digest of what an apply does beyond `digests`; "" where those hold all."""
        return ""

    def preflight_warnings(self, host: Host) -> tuple[Finding, ...]:  # noqa: ARG002
        """What a person should know before an absent thing is created."""
        return ()

    def preflight(self, host: Host, changes: Sequence[Change]) -> Sequence[str]:  # noqa: ARG002
        """Refuse what could not hold afterwards, before anything has changed.

        `host` is the one that the changes will leave; nothing is written. Returns a note for
        each check that had to be weaker than usual. Errors: ReconcileError.
        """
        return ()

    def before_apply(self, host: Host) -> None:
        """Record what a rollback needs to know, right before the first change."""

    def check_stays_up(self, host: Host) -> None:
        """Wait until what every change has started stays. Errors: ReconcileError if it does not."""

    def may_write(self, path: str) -> bool:  # noqa: ARG002
        """Whether it may overwrite or remove `path`, which lies below its own."""
        return False

    def is_as_written(self, written: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Whether this, as observed, still has the content that the ledger recorded.

        What somebody has changed since is theirs, and is not removed.
        """
        return True

    def why_not_removable(self, leaving: frozenset[Ref]) -> str:  # noqa: ARG002
        """Why this, as observed, is kept once `leaving` are removed; "" if it is not."""
        return ""
