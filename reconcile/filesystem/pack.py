"""Pack files and folders as a tar of plain files, as `unpack` accepts it."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Collection, Iterator, Mapping
from posixpath import dirname, join
from stat import S_ISREG
from types import MappingProxyType
from typing import IO

from reconcile.filesystem.host_error import HostError, explained
from reconcile.filesystem.release.listing import list_source
from reconcile.filesystem.unpack import CHUNK, content_digest

NO_RELEASES: Mapping[str, Collection[str]] = MappingProxyType({})


def pack(
    sources: Mapping[str, str],
    tar: IO[bytes],
    releases: Mapping[str, Collection[str]] = NO_RELEASES,
) -> str:
    """Write the file or folder at each path under its name; return the digest of the contents.

    As for a copy, hidden names in folders are left out, and a symlink is replaced by the file
    that it leads to within its folder. Of the sources of `releases` all is packed that is part of
    a release, without what is excluded of each. Errors: HostError.
    """
    files, folders = dict[str, str](), set[str]()
    for name, excluded in releases.items():
        with explained(f"the source {sources[name]} cannot be packed"):
            for packed, found in _of_release(name, sources[name], excluded):
                _add(packed, found, files, folders)
    for name, path in sources.items():
        if name in releases:
            continue
        with explained(f"the source {path} cannot be packed"):
            for packed, found in _packed_names("" if name == "." else name, path):
                _add(packed, found, files, folders)
    digests = dict[str, bytes]()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(folders):
            archive.addfile(_member(name, tarfile.DIRTYPE))
        for name in sorted(files):
            with explained(f"the source {files[name]} cannot be packed"):
                digests[name] = _add_file(archive, name, files[name])
    return content_digest(digests, folders)


def _add(name: str, path: str | None, files: dict[str, str], folders: set[str]) -> None:
    above = dirname(name) if path is not None else name
    while above:
        folders.add(above)
        above = dirname(above)
    if path is not None:
        files[name] = path


def _packed_names(name: str, path: str) -> Iterator[tuple[str, str | None]]:
    """The name and path of each file, and the name of each folder with None."""
    if not os.path.isdir(path):
        yield name, path
        return
    top = os.path.realpath(path)
    yield from _folder(name, top, top, frozenset({top}))


def _of_release(
    name: str, path: str, excluded: Collection[str]
) -> Iterator[tuple[str, str | None]]:
    yield name, None
    for file in list_source(path, excluded).files:
        yield join(name, file.path), join(path, file.source_path)


def _folder(
    name: str, path: str, top: str, above: frozenset[str]
) -> Iterator[tuple[str, str | None]]:
    yield name, None
    for entry in sorted(os.listdir(path)):
        found = os.path.realpath(join(path, entry))
        is_inside = found.startswith(f"{top}/")
        if entry.startswith(".") or not is_inside:
            continue
        if os.path.isdir(found) and found not in above:
            yield from _folder(join(name, entry), found, top, above | {found})
        elif os.path.isfile(found):
            yield join(name, entry), found


def _add_file(archive: tarfile.TarFile, name: str, path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if not S_ISREG(found.st_mode):
            raise HostError(f"the source {path} is neither a file nor a folder")
        member = _member(name, tarfile.REGTYPE)
        member.size = found.st_size
        content = _Hashed(file)
        archive.addfile(member, content)
        return content.digest.digest()


class _Hashed:
    """A file that is hashed while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = CHUNK) -> bytes:
        """The next bytes."""
        data = self._file.read(size)
        self.digest.update(data)
        return data


def _member(name: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode = kind, 0o644 if kind == tarfile.REGTYPE else 0o755
    return member
