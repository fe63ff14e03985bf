"""A version of an app in a folder of its own, and the link that leads to the one in use.

Its folder is made before an apply, outside of its transaction: nobody uses it yet, and what its
steps write decides what the apply has to copy. The apply starts the version beside the one in
use; this resource is where visitors are led to it, once it has proved that it answers.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from posixpath import basename, dirname, join, normpath
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, Self

from reconcile.dataclass import dataclass
from reconcile.engine.model import Finding
from reconcile.engine.resource import Cause, Ref, Resource
from reconcile.errors import ReconcileError
from reconcile.filesystem.free_space import NewFile, NewFiles
from reconcile.filesystem.host_error import HostError
from reconcile.nginx.running.upstream_switch import UpstreamSwitched
from reconcile.resources.common import refuse_unknown_owner
from reconcile.system import Host
from reconcile.system.planned_host import PlannedHost
from reconcile.wording import counted

if TYPE_CHECKING:
    from reconcile.engine.model import Action, Change, FieldChange


class ReleaseStep(NamedTuple):
    """A command of a release, its time limit, and the sandbox that it is run in."""

    argv: tuple[str, ...]
    timeout_s: int
    irreversible: bool = False
    backward_compatible: bool = False
    properties: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The command as people write it."""
        return shlex.join(self.argv)


@dataclass(frozen=True, kw_only=True)
class Release(Resource):
    """The release in use is that of `id`, and none of its `steps` is left to do.

    Observed, `id` is the one that the link leads to. `content` is the digest of the source.
    `needs` are the services of this release and the files that are published with it.
    """

    kind: Literal["release"] = "release"
    site: str
    id: str | None = None
    steps: tuple[str, ...] | None = None
    folder: str = ""
    link: str = ""
    source: str = ""
    excluded: tuple[str, ...] = ()
    content: str = ""
    files: int = 0
    commands: tuple[ReleaseStep, ...] = ()
    user: str | None = None
    writable: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    environment_file: str | None = None
    unit: str = ""
    upstream: str = ""
    ready: str | None = None
    host_name: str = ""
    https: bool = False
    keep: int = 5
    needs: tuple[str, ...] = ()
    published: tuple[tuple[str, bool], ...] = ()
    """The roots of copies in which old names live on, and whether only those with a hash do."""
    left_out: tuple[str, ...] = ()
    """What of the source is not copied although it is not excluded."""

    order: ClassVar[int] = 60
    removal_order: ClassVar[int] = 60
    when_undeclared: ClassVar[Literal["remove", "remove_if_created", "forget"]] = "forget"
    writes_contents: ClassVar[bool] = False
    is_switch: ClassVar[bool] = True
    metadata_fields: ClassVar[frozenset[str]] = frozenset(
        {
            *("site", "folder", "link", "source", "excluded", "content", "files", "commands"),
            *("user", "writable", "environment", "environment_file", "unit", "upstream", "ready"),
            *("host_name", "https", "keep", "needs", "left_out", "published"),
        }
    )

    @property
    def name(self) -> str:
        """The site."""
        return self.site

    @property
    def path(self) -> str:
        """The folder of this release."""
        return join(self.folder, self.id or "")

    @classmethod
    def from_name(cls, name: str) -> Self:
        """See `Resource.from_name`."""
        return cls(site=name)

    def requires(self) -> frozenset[Ref]:
        """The services of the release, and the files that its pages name."""
        return frozenset(map(Ref.parse, self.needs))

    def observe(self, host: Host) -> Self | None:
        """Which release is in use, and what is left to do for this one."""
        if self.id is None:
            return None
        self._refuse_unsuitable(host)
        refuse_unknown_owner(host, self.user, None)
        in_use = self._in_use(host)
        if in_use is None:
            return None
        return replace(self, id=in_use, steps=self._left_to_do(host))

    def planned(self, host: Host) -> Self:  # noqa: ARG002
        """The first release."""
        return self

    def _refuse_unsuitable(self, host: Host) -> None:
        if not host.services.runs_services:
            raise ReconcileError(
                f"The release of {self.site} cannot be started here",
                "host.service_manager is none: an image is being built",
                "Remove app.release while an image is built.",
            )

    def _in_use(self, host: Host) -> str | None:
        """The name of the release that the link leads to."""
        found = host.files.stat(self.link)
        if found is None or found.kind != "symlink":
            return None
        target = normpath(join(dirname(self.link), host.files.readlink(self.link)))
        return basename(target) if dirname(target) == self.folder else None

    def is_built(self, host: Host) -> bool:
        """Whether its folder is complete."""
        return host.files.is_release_complete(self.path, host.managing_account.uid)

    def _left_to_do(self, host: Host) -> tuple[str, ...]:
        return () if self.is_built(host) else tuple(self._to_do())

    def _to_do(self) -> Iterator[str]:
        yield f"copy {counted(self.files, 'file')} from {self.source}"
        for step in self.commands:
            note = "; a rollback does not undo it" if step.irreversible else ""
            yield f"run {step.text} (at most {step.timeout_s} s{note})"

    def new_files(self, host: Host, before: Self | None) -> NewFiles | None:  # noqa: ARG002
        """The source, where it is still to be copied; what the steps write is not known."""
        if self.is_built(host) or self._makes_room(host):
            return None
        listing = host.files.release_listing(self.source, self.excluded)
        sizes = (NewFile(file.signature.size) for file in listing.files)
        return NewFiles(self.path, sizes, is_recorded=False)

    def _makes_room(self, host: Host) -> bool:
        """Whether folders may go before it: that of a killed build, or those beyond `keep`."""
        names = host.files.release_names(self.folder)
        return self.id in names or len(names) > self.keep

    def preflight(self, host: Host, changes: Sequence[Change]) -> Sequence[str]:
        """Refuse a folder that others can exchange, as it is before any change. Errors: HostError.

        The release is made there before the directories get their owner.
        """
        now = host.base if isinstance(host, PlannedHost) else host
        if self.ref in {change.ref for change in changes} and not self.is_built(now):
            refuse_untrusted(now, self.path)
        return ()

    def apply(self, host: Host, before: Self | None) -> None:
        """Record the switch: from here on, nginx and the link are led to this release.

        The engine has checked that it answers.
        """
        if host.recorder is None:
            return
        previous = before.id if before and before.id else ""
        undoable = [step for step in self.commands if step.irreversible]
        host.recorder.record_undo(
            UpstreamSwitched(
                self.site,
                self.id or "",
                previous,
                join(self.folder, previous) if previous else "",
                self.unit.replace(self.id or "", previous) if previous else "",
                [step.text for step in undoable],
                all(step.backward_compatible for step in undoable),
                self.published,
            )
        )

    def refresh(self, host: Host, before: Self | None) -> Self | None:  # noqa: ARG002
        """Itself: the link follows."""
        return self

    def delete(self, host: Host) -> None:
        """Nothing: its folders stay."""

    def findings(self) -> tuple[Finding, ...]:
        """What of the source is left out."""
        return tuple(Finding("release-left-out", "note", note) for note in self.left_out)

    def cause(self, field: str, before: Self | None, written: Mapping[str, str]) -> Cause:
        """A folder that is still to be made is drift only where it has been there."""
        if field == "steps":
            return "drift" if before is not None and before.id == self.id else "pending"
        return super().cause(field, before, written)

    def preflight_warnings(self, host: Host) -> tuple[Finding, ...]:  # noqa: ARG002
        """The same for a first release."""
        return self.findings()

    def summary(self, action: Action) -> str:
        """What a first release consists of."""
        steps = counted(len(self.commands), "step")
        files = counted(self.files, "file")
        return f"{self.id}: {files} from {self.source}, {steps}" if action == "create" else ""

    def why(self, change: FieldChange) -> str:
        """Why another release comes into use, or what is left to do."""
        if change.name == "id":
            return "the source, the steps or the environment of the release changed"
        return "its folder will be created" if change.name == "steps" else ""

    def items(self, field: str) -> Sequence[tuple[Action, str]] | None:
        """What is left to do before it can start."""
        if field != "steps":
            return None
        return [("create", line) for line in self.steps or ()]

    def irreversible_steps(self) -> tuple[str, ...]:
        """The steps that no rollback undoes."""
        return tuple(step.text for step in self.commands if step.irreversible)

    @property
    def log(self) -> str:
        """The file of the state directory with the output of its steps."""
        return f"releases/{self.site}-{self.id}.log"


def refuse_untrusted(host: Host, path: str) -> None:
    """Errors: HostError, where others than root can exchange a directory above `path`."""
    untrusted = host.files.untrusted_above(path)
    if untrusted is not None:
        raise HostError(
            f"{untrusted[0]} can be written by others than root",
            "whoever can write there could replace the release",
            f"chown root:root {untrusted[0]} && chmod go-w {untrusted[0]}.",
        )
