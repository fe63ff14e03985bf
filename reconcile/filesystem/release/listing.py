"""What of a source folder a release is made of, and the digest of all that.

What does not belong to a version never counts: repositories, virtual environments, caches, what
the app writes. Links are followed only inside of the source, as for assets.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import NamedTuple

from reconcile.dataclass import dataclass
from reconcile.filesystem.host_error import ChangedSincePlan, HostError
from reconcile.filesystem.path import is_helper_name
from reconcile.filesystem.place_guard import UNGUARDED, PlaceGuard
from reconcile.filesystem.read import sha256_of
from reconcile.filesystem.sync.manifest import Signature
from reconcile.filesystem.sync.source import NotCopied, Original, Source, open_source
from reconcile.filesystem.walk import DEEPEST

EXCLUDED = (
    *(".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", "*.pyc", "*.pyo"),
    *(".cache", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox", ".nox", "*.egg-info"),
    *("*.sqlite", "*.sqlite3", "*.sqlite-*", "*.sqlite3-*", "*.log", ".reconcile-*"),
)
"""Names, as shell globs, that are never part of a release."""
VENV = "pyvenv.cfg"
"""What a virtual environment holds, whatever it is called."""
MOST_FILES = 100_000


class ReleaseFile(NamedTuple):
    """A file of a release, and where it lies in the source without links."""

    path: str
    source_path: str
    is_program: bool
    is_private: bool
    signature: Signature


@dataclass(frozen=True)
class ReleaseListing:
    """The files of a source in the order of their paths, and what is left out of it."""

    source: str
    files: tuple[ReleaseFile, ...]
    not_copied: NotCopied

    @property
    def fingerprint(self) -> str:
        """What stays the same as long as nobody touches a file: its content need not be read."""
        running = sha256(os.fsencode(self.source))
        for file in self.files:
            running.update(os.fsencode(file.path) + b"\0" + file.signature.packed)
            running.update(bytes((file.is_program, file.is_private)))
        return running.hexdigest()


def list_source(
    path: str, excluded: Collection[str] = (), guard: PlaceGuard = UNGUARDED
) -> ReleaseListing:
    """The files of the source folder `path` but those that match `EXCLUDED` or `excluded`.

    A pattern is compared with each name, and with each path below the source; one that begins
    with a slash with the latter alone. One that ends with a slash, too, is a folder that is left
    out unless it holds Python code: a package may be called like a folder of data.
    Errors: OSError, HostError where it holds too many files.
    """
    patterns = (*EXCLUDED, *excluded)
    with open_source(path, guard, refuse=True, copies_hidden=True) as source:
        files = sorted(_files(source, "", "", (), patterns), key=lambda one: os.fsencode(one.path))
        if len(files) > MOST_FILES:
            raise _too_many(path)
        return ReleaseListing(path, tuple(files), source.not_copied)


def _files(
    source: Source, folder: str, at: str, above: tuple[str, ...], patterns: Collection[str]
) -> Iterator[ReleaseFile]:
    """Those of the directory `at` of the source, which is `folder` of the release."""
    with source.listing(at) as listing:
        if at and VENV in listing.names:
            return
        if f"/{folder}/" in patterns and not any(name.endswith(".py") for name in listing.names):
            return
        names = [name for name in listing.names if not _is_excluded(folder, name, patterns)]
        found = source.originals(at, listing, names)
    count = 0
    for name, original in found.items():
        path = f"{folder}/{name}" if folder else name
        if original.is_directory:
            # A link to a directory above it would go on forever.
            is_loop = original.source_path in above or original.source_path == at
            if not is_loop and len(above) < DEEPEST:
                below = (*above, original.source_path)
                yield from _files(source, path, original.source_path, below, patterns)
            continue
        count += 1
        if count > MOST_FILES:
            raise _too_many(source.path_of(at))
        yield _file(path, original)


def _is_excluded(folder: str, name: str, patterns: Collection[str]) -> bool:
    path = f"{folder}/{name}" if folder else name
    ways = (name, path, f"/{path}")
    return is_helper_name(name) or any(fnmatchcase(way, one) for one in patterns for way in ways)


def _file(path: str, original: Original) -> ReleaseFile:
    mode = original.st.st_mode
    return ReleaseFile(
        path,
        original.source_path,
        bool(mode & stat.S_IXUSR),
        not mode & stat.S_IROTH,
        original.signature,
    )


def content_digest(listing: ReleaseListing, guard: PlaceGuard = UNGUARDED) -> str:
    """The digest of all paths and contents, and of which files are programs or private.

    Errors: OSError, ChangedSincePlan where a file is another one than was listed.
    """
    running = sha256()
    with open_source(listing.source, guard, refuse=True, copies_hidden=True) as source:
        for file in listing.files:
            with source.open_file(file.source_path) as fd:
                refuse_changed(source, file, fd)
                digest = sha256_of(fd)
            name = os.fsencode(file.path)
            running.update(b"%d %s %d %d " % (len(name), name, file.is_program, file.is_private))
            running.update(digest)
    return running.hexdigest()


def refuse_changed(source: Source, file: ReleaseFile, fd: int) -> None:
    """Refuse what is no longer as it was listed. Errors: ChangedSincePlan."""
    if Signature.of(os.fstat(fd)) != file.signature:
        path = source.path_of(file.source_path)
        raise ChangedSincePlan(path, "another process wrote or replaced it, such as a build")


def _too_many(path: str) -> HostError:
    return HostError(
        f"{path} holds too many files for a release",
        f"more than {MOST_FILES}",
        "Add what does not belong to the app to `exclude`.",
        errno.E2BIG,
    )
