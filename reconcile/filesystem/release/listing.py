"""What of a source folder a release is made of, and the digest of all that.

What does not belong to a version never counts: repositories, virtual environments, caches, what
the app writes. Links are followed only inside of the source, as for assets.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Collection, Iterator
from fnmatch import translate
from hashlib import sha256
from typing import NamedTuple

from reconcile.dataclass import dataclass
from reconcile.filesystem.host_error import ChangedSincePlan, HostError
from reconcile.filesystem.path import is_helper_name
from reconcile.filesystem.place_guard import UNGUARDED, PlaceGuard
from reconcile.filesystem.read import sha256_of
from reconcile.filesystem.sync.manifest_row import Signature
from reconcile.filesystem.sync.source import NotCopied, Original, Source, open_source
from reconcile.filesystem.walk import DEEPEST

EXCLUDED = (
    *(".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", "*.pyc", "*.pyo"),
    *(".cache", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox", ".nox", "*.egg-info"),
    *("*.sqlite", "*.sqlite3", "*.sqlite-*", "*.sqlite3-*", "*.log", ".reconcile-*"),
)
"""Names, as shell globs, that are never part of a release."""
INCOMPLETE = ".incomplete"
"""What a release holds at its top until it is ready."""
VENV = "pyvenv.cfg"
"""What a virtual environment holds, whatever it is called."""
MOST_FILES = 100_000
_PROGRAM_STARTS = (b"#!", b"\x7fELF")


class ReleaseFile(NamedTuple):
    """A file of a release, and where it lies in the source without links.

    `has_program_mode`: its mode allows its owner to run it.
    """

    path: str
    source_path: str
    has_program_mode: bool
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
            running.update(bytes((file.has_program_mode, file.is_private)))
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
    patterns = _Patterns((*EXCLUDED, *excluded))
    with open_source(path, guard, refuse=True, copies_hidden=True) as source:
        files = sorted(_files(source, "", "", (), patterns), key=lambda one: os.fsencode(one.path))
        if len(files) > MOST_FILES:
            raise _too_many(path)
        return ReleaseListing(path, tuple(files), source.not_copied)


class _Patterns:
    """What is left out, as one expression: a source has thousands of names."""

    def __init__(self, patterns: Collection[str]) -> None:
        self._data = frozenset(one for one in patterns if one[:1] == one[-1:] == "/")
        globs = [one for one in patterns if one not in self._data]
        self._excluded = re.compile("|".join(map(translate, globs)))

    def exclude(self, folder: str, name: str) -> bool:
        """Whether the name is left out, wherever it leads."""
        path = f"{folder}/{name}" if folder else name
        if path == INCOMPLETE:
            return True
        match = self._excluded.match
        return bool(match(name) or match(path) or match(f"/{path}")) or is_helper_name(name)

    def exclude_data(self, folder: str, names: Collection[str]) -> bool:
        """Whether the folder, with these names in it, holds data of the app's."""
        return f"/{folder}/" in self._data and not any(one.endswith(".py") for one in names)


def _files(
    source: Source, folder: str, at: str, above: tuple[str, ...], patterns: _Patterns
) -> Iterator[ReleaseFile]:
    """Those of the directory `at` of the source, which is `folder` of the release."""
    with source.listing(at) as listing:
        if at and VENV in listing.names:
            return
        if patterns.exclude_data(folder, listing.names):
            return
        names = [name for name in listing.names if not patterns.exclude(folder, name)]
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
                is_runnable = is_program(file, fd)
                digest = sha256_of(fd)
            name = os.fsencode(file.path)
            running.update(b"%d %s %d %d " % (len(name), name, is_runnable, file.is_private))
            running.update(digest)
    return running.hexdigest()


def is_program(file: ReleaseFile, fd: int) -> bool:
    """Whether the release's copy can be run: by its mode, or because it begins like a program.

    A source that came as a tar archive has no modes.
    """
    return file.has_program_mode or os.pread(fd, 4, 0).startswith(_PROGRAM_STARTS)


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
