"""An entry of `paths` becomes a directory, a file or a link, and the way to it."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.config.expansion.scope import Scope
from reconcile.config.models.owners import Owner
from reconcile.config.models.paths import HostPath
from reconcile.config.nodes import Loc
from reconcile.engine.model import Declared
from reconcile.errors import ReconcileError


def expand_path(scope: Scope, path: str, entry: HostPath) -> Iterator[Declared]:
    """Errors: ReconcileError where the facts lack the content of `source`."""
    loc: Loc = ("paths", path)
    yield from scope.way(path, loc)
    if entry.link is not None:
        yield scope.declare(
            "symlink", loc, _served(scope, entry.link), path=path, target=entry.link
        )
        return
    owner = scope.owner(entry.owner) if entry.owner else Owner()
    if entry.form == "directory":
        yield scope.declare(
            "directory", loc, path=path, user=owner.user, group=owner.group, mode=owner.dirs
        )
    else:
        yield _file(scope, path, entry, owner)


def _file(scope: Scope, path: str, entry: HostPath, owner: Owner) -> Declared:
    return scope.declare(
        "file",
        ("paths", path),
        _served(scope, path),
        path=path,
        content=file_content(scope, path, entry),
        user=owner.user,
        group=owner.group,
        mode=owner.files,
        sensitive=entry.sensitive,
    )


def _served(scope: Scope, path: str) -> tuple[str, ...]:
    """The sites that were adopted with that file."""
    return tuple(name for name, site in scope.spec.sites.items() if site.adopted == path)


def file_content(scope: Scope, path: str, entry: HostPath) -> bytes:
    """What the file at `path` has to hold. Errors: ReconcileError where its source is missing."""
    if entry.content is not None:
        return entry.content.encode("utf-8", "surrogateescape")
    content = scope.facts.sources.get(entry.source or "")
    if content is None:
        raise ReconcileError(
            what=f"{path} has no content to be made of",
            why=f"{entry.source} does not exist ({scope.spec.place('paths', path, 'source')})",
            fix="Create the file, or correct its name in the YAML. Nothing was changed.",
        )
    return content
