"""A symlink: a site enabled, a release made current."""

from __future__ import annotations

from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from reconcile.engine.resource import Ref, Resource
from reconcile.resources.common import folders_above, wrong_kind
from reconcile.system import Host

if TYPE_CHECKING:
    from reconcile.engine.model import Action


class Symlink(Resource):
    """One symlink and where it leads; a relative target of the same meaning is left alone."""

    kind: Literal["symlink"] = "symlink"
    path: str
    target: str | None = None

    order: ClassVar[int] = 25
    removal_order: ClassVar[int] = 60
    metadata_fields: ClassVar[frozenset[str]] = frozenset({"path"})

    @property
    def name(self) -> str:
        return self.path

    @classmethod
    def from_name(cls, name: str) -> Self:
        return cls(path=name)

    def requires(self) -> frozenset[Ref]:
        return folders_above(self.path)

    def observe(self, host: Host) -> Self | None:
        found = host.files.stat(self.path)
        if found is None:
            return None
        if found.kind != "symlink":
            raise wrong_kind(self.path, found.kind, "symlink")
        return self.model_copy(update={"target": self._as_asked(host.files.readlink(self.path))})

    def _as_asked(self, target: str) -> str | None:
        """A relative target that leads where we want it to lead is as good as ours."""
        same = normpath(join(dirname(self.path), target)) == self.target
        return self.target if same else target

    def summary(self, action: Action) -> str:  # noqa: ARG002
        return f"-> {self.target}" if self.target is not None else ""

    def apply(self, host: Host, before: Self | None) -> None:  # noqa: ARG002
        if self.target is not None:
            host.files.symlink(self.path, self.target)

    def delete(self, host: Host) -> None:
        host.files.unlink(self.path)
