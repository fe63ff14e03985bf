"""The files that a configuration makes, as text, as JSON and as a folder of files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from reconcile.engine.diff import SENSITIVE
from reconcile.output.command_documents import RenderDocument, RenderedFile
from reconcile.output.documents import ConfigFile
from reconcile.output.escape import printable
from reconcile.resources.common import octal
from reconcile.resources.file import File
from reconcile.resources.symlink import Symlink

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.engine.model import Declared


def rendered_files(declared: Iterable[Declared], sites: Sequence[str] = ()) -> list[RenderedFile]:
    """The files and symlinks with a text, by path; those of `sites` only where any is named."""
    chosen = (one for one in declared if not sites or set(sites) & set(one.sites))
    return sorted((file for one in chosen for file in _files(one)), key=lambda file: file.path)


def render_document(
    files: Sequence[RenderedFile], config: Config, assumed: dict[str, str]
) -> RenderDocument:
    """Build the object of `render --json`."""
    origin = ConfigFile(file=config.file, digest=config.digest, git_commit=None)
    return RenderDocument(config=origin, assumed=assumed, files=list(files))


def render_text(files: Sequence[RenderedFile]) -> str:
    """Each file below a line with its path, as `head` prints several files."""
    return "\n\n".join(_file_text(file) for file in files)


def _files(declared: Declared) -> Iterator[RenderedFile]:
    resource, sites = declared.resource, list(declared.sites)
    if isinstance(resource, Symlink) and resource.target is not None:
        yield RenderedFile(
            path=resource.path,
            type="symlink",
            sites=sites,
            user=None,
            group=None,
            mode=None,
            sensitive=False,
            content=None,
            target=resource.target,
        )
    elif isinstance(resource, File) and resource.content is not None:
        text = resource.content.decode("utf-8", "surrogateescape")
        yield RenderedFile(
            path=resource.path,
            type="file",
            sites=sites,
            user=resource.user,
            group=resource.group,
            mode=None if resource.mode is None else octal(resource.mode),
            sensitive=resource.sensitive,
            content=SENSITIVE if resource.sensitive else text,
            target=None,
        )


def _file_text(file: RenderedFile) -> str:
    if file.type == "symlink":
        return f"==> {printable(file.path)} -> {printable(file.target or '')} <=="
    owner = f"{file.user or 'root'}:{file.group or 'root'} {file.mode or '0644'}"
    content = printable(file.content or "", keep="\n\t").rstrip("\n")
    return f"==> {printable(file.path)} ({owner}) <==\n{content}"
