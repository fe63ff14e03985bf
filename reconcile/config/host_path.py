"""Other paths of the host: a directory, a file or a symlink."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reconcile.config.config_model import ConfigEntry
from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.path_types import RELEASE, Path, SourcePath
from reconcile.config.owner import OwnerChoice, OwnerEntry, check_owner_choice
from reconcile.engine.model import Declared
from reconcile.errors import ReconcileError
from reconcile.filesystem.path import ancestors, is_inside
from reconcile.resources.directory import Directory
from reconcile.resources.file import File
from reconcile.resources.symlink import Symlink

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.context import CompileContext

_OF_THE_KERNEL = ("/proc", "/sys")


class HostPath(ConfigEntry):
    """A directory; with `source` or `content` a file, with `link` a symlink."""

    owner: OwnerChoice | None = Field(
        default=None, description="The name of an owner, or an inline one."
    )
    source: SourcePath | None = Field(
        default=None, description="A file to copy the content from; makes the path a file."
    )
    content: str | None = Field(
        default=None, description="The content, instead of `source`; makes the path a file."
    )
    sensitive: bool = Field(default=False, description="Never show the content in a plan.")
    link: Path | None = Field(
        default=None, description="The target of the link; makes the path a symlink."
    )
    prevent_destroy: bool = Field(
        default=False, description="Refuse every plan that would remove it."
    )

    @property
    def form(self) -> Literal["directory", "file", "symlink"]:
        """What the path is."""
        if self.link is not None:
            return "symlink"
        return "directory" if self.source is None and self.content is None else "file"

    def check(self, loc: Loc, config: Config) -> Iterator[Violation]:
        """The entry is one thing, and nothing above it is a file or a symlink."""
        path = str(loc[-1])
        yield from check_owner_choice((*loc, "owner"), self.owner, config)
        yield from self._check_keys(loc)
        yield from check_ancestors(loc, path, config)
        if path == "/":
            yield Violation(loc, "the root directory cannot be managed", "use a path below it")
        if any(is_inside(path, top) for top in _OF_THE_KERNEL):
            # Names there lead to files of whichever process asks.
            hint = "use a file of the disk, such as one in /etc/sysctl.d"
            yield Violation(loc, f"{path} belongs to the kernel", hint)

    def _check_keys(self, loc: Loc) -> Iterator[Violation]:
        if self == HostPath(prevent_destroy=self.prevent_destroy):
            yield Violation(loc, "this path is empty", "add an owner, a source or a link")
        if self.link is not None:
            for key in ("owner", "source", "content", "sensitive"):
                if getattr(self, key):
                    message = f"`{key}` cannot be combined with `link`"
                    yield Violation((*loc, key), message, "remove one of them", is_independent=True)
        elif self.sensitive and self.form != "file":
            yield Violation(
                (*loc, "sensitive"), "only a file with a source or content can be sensitive"
            )
        for key in ("source", "link"):
            if RELEASE in (getattr(self, key) or ""):
                message = f"{RELEASE} stands for a release in the keys of its site alone"
                yield Violation((*loc, key), message, "name `into`/current")
        if self.source is not None and self.content is not None:
            message = "`content` and `source` exclude each other"
            yield Violation((*loc, "content"), message, "remove one of them")

    def compile(self, name: str, context: CompileContext) -> Iterator[Declared]:
        """The path itself, and the directories above it.

        Errors: ReconcileError where the file at `source` is missing.
        """
        loc: Loc = ("paths", name)
        yield from context.parent_directories(name, loc)
        if self.link is not None:
            link = Symlink(path=name, target=self.link)
            yield context.declare(link, loc, _adopted_by(self.link, context))
            return
        owner = context.resolve_owner(self.owner) if self.owner else OwnerEntry()
        if self.form == "directory":
            directory = Directory(path=name, user=owner.user, group=owner.group, mode=owner.dirs)
            yield context.declare(directory, loc)
            return
        file = File(
            path=name,
            content=None if is_withheld(context, self) else file_content(context, name, self),
            private_source=_private_source(context, self),
            user=owner.user,
            group=owner.group,
            mode=owner.files,
            sensitive=self.sensitive,
        )
        yield context.declare(file, loc, _adopted_by(name, context))


def check_ancestors(loc: Loc, path: str, config: Config) -> Iterator[Violation]:
    """No directory above `path` is a file or a symlink of `paths`."""
    for above in ancestors(path):
        entry = config.paths.get(above)
        if entry and entry.form == "file":
            yield Violation(loc, f"{path} is below {above}, which `paths` declares as a file")
        if entry and entry.form == "symlink":
            message = f"{path} is behind the symlink {above}"
            yield Violation(loc, message, f"use the path below {entry.link}")


def is_withheld(context: CompileContext, entry: HostPath) -> bool:
    """Whether the source of the file must not be published."""
    return entry.source in context.facts.private_sources


def _private_source(context: CompileContext, entry: HostPath) -> tuple[str, str] | None:
    """The source with its owner, where it must not be published."""
    owner = context.facts.private_sources.get(entry.source or "")
    return (entry.source, owner) if entry.source and owner else None


def file_content(context: CompileContext, path: str, entry: HostPath) -> bytes:
    """The content of the file at `path`. Errors: ReconcileError where its source is missing."""
    if entry.content is not None:
        return entry.content.encode("utf-8", "surrogateescape")
    content = context.facts.sources.get(entry.source or "")
    if content is None:
        position = context.config.position_of("paths", path, "source")
        raise ReconcileError(
            what=f"source file for {path} does not exist",
            why=f"{entry.source} was not found ({position})",
            fix="Create the file, or correct `source`. Nothing was changed.",
        )
    return content


def _adopted_by(path: str, context: CompileContext) -> tuple[str, ...]:
    """The sites whose adopted file is at `path`."""
    return tuple(name for name, site in context.config.sites.items() if site.adopted == path)
