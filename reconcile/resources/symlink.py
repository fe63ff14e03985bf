"""A symlink, such as an enabled site or the current release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from reconcile.dataclass import dataclass
from reconcile.engine.digest import digest
from reconcile.engine.resource import Ref, Resource
from reconcile.filesystem.planned_entry import Entry, Link
from reconcile.resources.common import (
    folders_above,
    refuse_missing_folder,
    unit_files_read_again,
    wrong_kind,
)
from reconcile.resources.unit_paths import removal_rank_of
from reconcile.system import Host

if TYPE_CHECKING:
    from reconcile.engine.model import Action, Change


@dataclass(frozen=True, kw_only=True)
class Symlink(Resource):
    """One symlink and its target; a relative target that leads to the same path is left alone."""

    kind: Literal["symlink"] = "symlink"
    path: str
    target: str | None = None
    identity: str | None = None
    """Observed: the target as it is written there."""
    needs: tuple[str, ...] = ()
    """Refs, as text, of what has to be in place before."""

    order: ClassVar[int] = 25
    removal_order: ClassVar[int] = 98
    metadata_fields: ClassVar[frozenset[str]] = frozenset({"path", "identity", "needs"})

    form: ClassVar[str] = "symlink"
    is_name_removed: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """The path."""
        return self.path

    @classmethod
    def from_name(cls, name: str) -> Self:
        """The symlink at a path, without a target, for its removal."""
        return cls(path=name)

    @property
    def removal_rank(self) -> int:
        """See `removal_rank_of`."""
        return removal_rank_of(self.path, self.removal_order)

    def planned_entry(self) -> Entry | None:
        """The link."""
        return None if self.target is None else Link(self.target)

    def claims(self, path: str, host: Host) -> bool:  # noqa: ARG002
        """Its path."""
        return path == self.path

    def requires(self) -> frozenset[Ref]:
        """The directories above it, and what it leads to."""
        return folders_above(self.path) | {*map(Ref.parse, self.needs)}

    def observe(self, host: Host) -> Self | None:
        """The symlink as it is; None where absent. Errors: HostError."""
        found = host.files.stat(self.path)
        if found is None:
            return None
        if found.kind != "symlink":
            if self.target is None:
                return None
            raise wrong_kind(self.path, found.kind, "symlink")
        target = host.files.readlink(self.path)
        return replace(self, target=self._normalized(target), identity=f"link:{target}")

    def _normalized(self, target: str) -> str | None:
        """The declared target where the actual one leads to the same path."""
        same = normpath(join(dirname(self.path), target)) == self.target
        return self.target if same else target

    def summary(self, action: Action) -> str:  # noqa: ARG002
        """Where it leads."""
        return f"-> {self.target}" if self.target is not None else ""

    def preflight(self, host: Host, changes: Sequence[Change]) -> Sequence[str]:
        """Refuse a missing directory. Errors: HostError."""
        refuse_missing_folder(host, self, changes)
        return ()

    def apply(self, host: Host, before: Self | None) -> None:
        """Create or replace it."""
        if self.target is not None:
            expected = "" if before is None else before.identity
            with unit_files_read_again(host, self.path):
                host.files.symlink(self.path, self.target, expected)

    def is_as_written(self, written: Mapping[str, str]) -> bool:
        """Whether it leads where it led when it was written, by whatever spelling."""
        target = self.target or ""
        spellings = (target, normpath(join(dirname(self.path), target)))
        return written.get("target") in (None, *map(digest, spellings))

    def delete(self, host: Host) -> None:
        """Remove it."""
        with unit_files_read_again(host, self.path):
            host.files.unlink(self.path, self.identity)
