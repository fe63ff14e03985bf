"""The undo record of a switch from one instance of an app to another."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import field
from posixpath import basename
from typing import TYPE_CHECKING, Any, ClassVar

from reconcile.dataclass import dataclass
from reconcile.errors import ReconcileError
from reconcile.filesystem.path import is_inside
from reconcile.filesystem.sync.hashed_name import holds_hash
from reconcile.filesystem.undo import Undo, undo_record
from reconcile.nginx.running.old_workers import drain
from reconcile.nginx.running.reload import reload_and_verify

if TYPE_CHECKING:
    from reconcile.system import Host


@undo_record
@dataclass(frozen=True)
class UpstreamSwitched(Undo):
    """Visitors of a site were led to another release, by nginx's files that were written next.

    It is undone once those are restored and the previous instance runs, and before the new one
    is stopped: nginx is led back in between, so that no request meets a stopped instance.
    `irreversible` are the steps of the new release that nothing undoes.
    """

    op: ClassVar[str] = "nginx.upstream_switched"
    is_switch: ClassVar[bool] = True
    site: str
    release: str
    previous: str
    previous_folder: str
    previous_unit: str
    irreversible: Sequence[str] = field(default_factory=list)
    backward_compatible: bool = True
    published: Sequence[Sequence[Any]] = field(default_factory=list)
    """The root of each copy in which old names live on, and whether only those with a hash do."""

    @property
    def affects(self) -> str:
        """The site."""
        return self.site

    def undo(self, host: Host) -> str:
        """Lead nginx back, as far as its files are restored already."""
        # What else was changed in its files is restored next, and loaded at the end.
        with suppress(ReconcileError, OSError):
            reload_and_verify(host)
            drain(host)
        return ""

    def refusal(self, host: Host) -> str:
        """Without its folder the previous release cannot run."""
        if not self.previous or host.files.stat(self.previous_folder) is not None:
            return ""
        return (
            f"release {self.previous} of {self.site}, which was in use before, is gone"
            f" ({self.previous_folder})"
        )

    def published_root(self, path: str) -> str:
        """The innermost of these copies, where the name of `path` lives on in it."""
        around = [(root, hashed) for root, hashed in self.published if is_inside(path, root)]
        root, only_hashed = max(around, key=lambda one: len(one[0]), default=("", False))
        return "" if only_hashed and not holds_hash(basename(path)) else root

    def warning(self) -> str:
        """What the previous release will meet."""
        if not self.irreversible:
            return ""
        steps = ", ".join(f"`{step}`" for step in self.irreversible)
        effect = (
            "the previous release works with what it left"
            if self.backward_compatible
            else "check that the previous release works with what it left"
        )
        return f"{steps} of release {self.release} of {self.site} is not undone: {effect}."

    def prevents_automatic(self, host: Host) -> str:
        """Old code meets what an irreversible step left only where that is declared to work.

        As long as the old instance runs nothing is started: it just serves on.
        """
        if not self.irreversible or self.backward_compatible or not self.previous:
            return ""
        if host.services.status(self.previous_unit).active:
            return ""
        steps = ", ".join(f"`{step}`" for step in self.irreversible)
        return f"{steps} of release {self.release} of {self.site} cannot be undone"
