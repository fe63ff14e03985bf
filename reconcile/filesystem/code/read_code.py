"""Read the code of a process: by descriptor, and only what has changed since it was known.

Of a virtual environment only the metadata is read, which changes with every package that is
installed, so that its twenty thousand files cost nothing.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import field
from posixpath import join
from typing import NamedTuple

from reconcile.dataclass import dataclass
from reconcile.filesystem.code.code_scope import DATA_FOLDERS, MANIFEST, CodeScope, is_ignored
from reconcile.filesystem.host_error import UnsafePath
from reconcile.filesystem.openat import open_subdirectory
from reconcile.filesystem.path import ancestors, is_inside, relative_to
from reconcile.filesystem.planned_entry import FOLDER, PlannedEntries
from reconcile.filesystem.read import digest_of
from reconcile.filesystem.safe_path import closing, open_readable, pin_directory
from reconcile.filesystem.sync.manifest import CLOCK_TICK_NS
from reconcile.filesystem.sync.manifest_row import Signature

MOST_FILES = 200_000
DEEPEST = 64
LARGEST_READ = 64 << 20
"""Bytes above which a file counts by its size and mtime: it is data, such as a model."""
LINKED_FOLDER = "."
"""The entry of a code folder that lies behind a symlink."""

_ENVIRONMENT = "pyvenv.cfg"
_OF_ENVIRONMENT = frozenset({"bin", "include", "lib", "lib64", "share"})
_LIBRARY = r"(?:python|pypy)[\d.]+t?"
_METADATA: Mapping[str, tuple[str, ...]] = {
    "dist-info": ("RECORD", "METADATA", "direct_url.json"),
    "egg-info": ("PKG-INFO",),
}
_PATH_FILES = (".pth", ".egg-link")


class CodeFile(NamedTuple):
    """One file of the code; `digest` "" where it was not read, `link:…` of a symlink."""

    signature: Signature
    digest: str


CodeFiles = Mapping[str, CodeFile]
"""By path, relative to the folder; absolute in a virtual environment outside of it."""
PLANNED = Signature(0, 0, 1 << 63, 0)
"""That of a file that a plan writes: younger than any process."""


class TooMuchCode(OSError):
    """A code folder has more files than are compared."""

    def __init__(self, folder: str) -> None:
        super().__init__(errno.E2BIG, f"{folder} has more than {MOST_FILES:,} files")


@dataclass(frozen=True)
class KnownCode:
    """What of an earlier reading can stand for a new one.

    A file with the same signature has the digest of `files`, which were read at `read_at_ns`.
    One that changed before `unread_before_ns` is not read at all.
    """

    files: CodeFiles = field(default_factory=dict)
    read_at_ns: int = 0
    unread_before_ns: int = 0

    def digest_of(self, path: str, signature: Signature) -> str | None:
        """The digest of an unchanged file; None where it has to be read."""
        row, ctime_ns = self.files.get(path), signature.ctime_ns
        # A change within one tick of the clock would be invisible.
        if row and row.signature == signature and ctime_ns < self.read_at_ns - CLOCK_TICK_NS:
            return row.digest
        return "" if ctime_ns < self.unread_before_ns else None


def read_code(scope: CodeScope, known: KnownCode, at: str) -> dict[str, CodeFile]:
    """Every file of the code in `scope`, whose folder is found `at` a path; {} where absent.

    Errors: OSError.
    """
    reader = _CodeReader(scope, known)
    reader.read(at)
    return reader.found


def lay_over(
    scope: CodeScope,
    found: dict[str, CodeFile],
    planned: PlannedEntries,
    digests: Mapping[str, str],
) -> None:
    """Put what a plan writes in the place of what is there; `digests` of its files and links."""
    for path, entry in planned.items():
        if entry is FOLDER or not scope.counts(path):
            continue
        name = relative_to(path, scope.folder) or ""
        for below in [one for one in found if is_inside(f"/{one}", f"/{name}")]:
            del found[below]
        if path in digests:
            found[name] = CodeFile(PLANNED, digests[path])


class _CodeReader:
    def __init__(self, scope: CodeScope, known: KnownCode) -> None:
        self.found: dict[str, CodeFile] = {}
        self._scope, self._known, self._device = scope, known, 0

    def read(self, at: str) -> None:
        """Read the folder, and the environments beside it."""
        folder = self._scope.folder
        try:
            with pin_directory(at) as (pin, _), open_readable(pin) as fd:
                self._device = os.fstat(fd).st_dev
                self._read_folder(fd, "", 0)
        except (FileNotFoundError, NotADirectoryError):
            return
        if (target := os.path.realpath(at)) != folder:
            link = PLANNED if at != folder else _youngest_link(folder)
            self.found[LINKED_FOLDER] = CodeFile(link, f"link:{target}")
        for path in self._scope.environments:
            self._read_environment_at(path)

    def _read_environment_at(self, path: str) -> None:
        """The metadata of an environment, unless the walk of the folder has met it."""
        name = relative_to(path, self._scope.folder) or path
        if f"{name}/{_ENVIRONMENT}" in self.found:
            return
        try:
            with pin_directory(path) as (pin, _), open_readable(pin) as fd:
                if _ENVIRONMENT in os.listdir(fd):
                    self._read_environment(fd, f"{name}/")
        except (FileNotFoundError, NotADirectoryError, UnsafePath):
            # A link that somebody else made counts by its target, which the walk has read.
            return

    def _read_folder(self, fd: int, prefix: str, depth: int) -> None:
        with os.scandir(fd) as entries:
            names = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
        if _ENVIRONMENT in names:
            self._read_environment(fd, prefix)
            names = {} if depth else _without(names, _OF_ENVIRONMENT | {_ENVIRONMENT})
        path = join(self._scope.folder, prefix)
        is_asset = any(is_inside(path, folder) for folder in self._scope.assets)
        for name, is_directory in names.items():
            if is_ignored(name) or path + name in self._scope.excluded:
                continue
            if is_directory:
                self._enter(fd, prefix, name, depth + 1)
            elif not is_asset or name.endswith(MANIFEST):
                self._read_name(fd, prefix, name)

    def _enter(self, above: int, prefix: str, name: str, depth: int) -> None:
        for fd in _opened(above, name):
            is_other_mount = os.fstat(fd).st_dev != self._device
            if not is_other_mount and depth <= DEEPEST and not _holds_data(fd, name):
                self._read_folder(fd, f"{prefix}{name}/", depth)

    def _read_environment(self, fd: int, prefix: str) -> None:
        self._read_name(fd, prefix, _ENVIRONMENT)
        for libraries in _opened(fd, "lib"):
            for name in filter(_is_library, os.listdir(libraries)):
                for packages in _opened(libraries, name, "site-packages"):
                    self._read_packages(packages, f"{prefix}lib/{name}/site-packages/")

    def _read_packages(self, fd: int, prefix: str) -> None:
        for name in os.listdir(fd):
            if name.endswith(_PATH_FILES):
                self._read_name(fd, prefix, name)
            elif files := _METADATA.get(name.rpartition(".")[2]):
                for package in _opened(fd, name):
                    for file in files:
                        self._read_name(package, f"{prefix}{name}/", file)

    def _read_name(self, fd: int, prefix: str, name: str) -> None:
        path = prefix + name
        try:
            st = os.stat(name, dir_fd=fd, follow_symlinks=False)
            signature = Signature.of(st)
            digest = self._digest(fd, path, name, st, signature)
        except FileNotFoundError:
            return
        if digest is not None:
            self.found[path] = CodeFile(signature, digest)
        if len(self.found) > MOST_FILES:
            raise TooMuchCode(self._scope.folder)

    def _digest(
        self, fd: int, path: str, name: str, st: os.stat_result, signature: Signature
    ) -> str | None:
        """The digest of a file or the target of a link; None for what is neither."""
        if stat.S_ISLNK(st.st_mode):
            return f"link:{os.readlink(name, dir_fd=fd)}"
        if not stat.S_ISREG(st.st_mode):
            return None
        known = self._known.digest_of(path, signature)
        if known is not None:
            return known
        if st.st_size > LARGEST_READ:
            return f"size:{st.st_size}:{st.st_mtime_ns}"
        return _content_digest(fd, name)


def _without(names: Mapping[str, bool], left_out: frozenset[str]) -> dict[str, bool]:
    return {name: is_directory for name, is_directory in names.items() if name not in left_out}


def _is_library(name: str) -> bool:
    return re.fullmatch(_LIBRARY, name) is not None


def _opened(fd: int, *names: str) -> Iterator[int]:
    """The folder that lies below `fd` by these names, open for one step; nothing where absent."""
    try:
        child = open_subdirectory(fd, names[0])
    except (FileNotFoundError, NotADirectoryError):
        return
    with closing(child):
        if len(names) == 1:
            yield child
        else:
            yield from _opened(child, *names[1:])


def _content_digest(fd: int, name: str) -> str | None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with closing(os.open(name, flags, dir_fd=fd)) as file:
        return digest_of(file) if stat.S_ISREG(os.fstat(file).st_mode) else None


def _holds_data(fd: int, name: str) -> bool:
    """Whether it is a folder of logs, caches or releases by its name, and no package."""
    return name in DATA_FOLDERS and "__init__.py" not in os.listdir(fd)


def _youngest_link(path: str) -> Signature:
    """The signature of the link on the way to `path` that changed last."""
    there = (os.lstat(one) for one in (path, *ancestors(path)))
    links = (Signature.of(st) for st in there if stat.S_ISLNK(st.st_mode))
    return max(links, key=lambda one: one.ctime_ns)
