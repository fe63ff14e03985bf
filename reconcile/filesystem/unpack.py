"""Unpack a tar of plain files into a folder that only who runs this may enter."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from posixpath import dirname, join
from typing import IO, cast

from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.private_folder import PrivateFolders

MOST_ENTRIES = 100_000
MOST_BYTES = 4 << 30
CHUNK = 1 << 20
PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)
FIX = "Pack plain files and folders, by relative names. Nothing was changed."


class Unpacked:
    """A folder of unpacked files, and the digest of their names and contents."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._files: dict[str, bytes] = {}
        self._folders: set[str] = set()

    @property
    def digest(self) -> str:
        """`sha256:…`, the same for every tar that holds the same files and folders."""
        return content_digest(self._files, self._folders)

    def add(self, name: str, content: IO[bytes] | None) -> None:
        """Add a file, or a folder for None. Errors: HostError for a name that is taken."""
        if name in self._files or (content is not None and name in self._folders):
            raise _refusal(name, "it is in the archive twice")
        self._make_folder(name if content is None else dirname(name))
        if content is not None:
            self._files[name] = _write_new(join(self.folder, name), content)

    def _make_folder(self, name: str) -> None:
        if name in self._folders or not name:
            return
        if name in self._files:
            raise _refusal(name, "it is a file and a folder")
        self._make_folder(dirname(name))
        os.mkdir(join(self.folder, name), 0o755)
        self._folders.add(name)


def content_digest(files: Mapping[str, bytes], folders: Iterable[str]) -> str:
    """The digest of files by the SHA-256 of their contents, and of folders."""
    total = hashlib.sha256()
    for name in sorted(folders):
        total.update(_encoded(name) + b"/\0")
    for name in sorted(files):
        total.update(_encoded(name) + b"\0" + files[name])
    return f"sha256:{total.hexdigest()}"


@contextmanager
def unpacked(tar: str) -> Iterator[Unpacked]:
    """The files of the archive at `tar`, in a private folder that exists for the body.

    Its modes, owners and times are ignored. Errors: HostError for whatever is no plain file or
    folder below the root of the archive, and for more than MOST_ENTRIES or MOST_BYTES of them.
    """
    folders = PrivateFolders()
    with folders.new() as folder:
        files = Unpacked(folder)
        try:
            _unpack(tar, files)
        except tarfile.TarError as error:
            raise HostError(f"{tar} is not a plain tar archive", str(error), FIX) from None
        except (OSError, ValueError) as error:
            if isinstance(error, HostError):
                raise
            raise HostError(f"{tar} cannot be unpacked", str(error), FIX) from None
        name = files.digest.removeprefix("sha256:")[:16]
        with folders.published(folder, name) as files.folder:
            yield files


def _unpack(tar: str, files: Unpacked) -> None:
    with open(tar, "rb") as stream:
        bounded = cast("IO[bytes]", _Bounded(stream))
        with tarfile.open(fileobj=bounded, mode="r|") as archive:
            _add_all(archive, files)


def _add_all(archive: tarfile.TarFile, files: Unpacked) -> None:
    names = set[str]()
    for count, member in enumerate(archive):
        if count == MOST_ENTRIES:
            raise HostError(f"the archive holds more than {MOST_ENTRIES:,} entries", "", FIX)
        name = _relative(member.name)
        if member.issparse() or not (member.isdir() or member.type in PLAIN):
            raise _refusal(member.name, f"it is {_kind(member)}")
        if name in names or not (name or member.isdir()):
            raise _refusal(member.name, "it is in the archive twice" if name else "it has no name")
        names.add(name)
        files.add(name, None if member.isdir() else archive.extractfile(member))


class _Bounded:
    """The bytes of an archive, up to a limit: also its headers are read into memory."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._left = MOST_BYTES

    def read(self, size: int) -> bytes:
        """At most `size` bytes. Errors: HostError beyond the limit."""
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise HostError(f"the archive is larger than {MOST_BYTES >> 30} GB", "", FIX)
        return data


def _write_new(path: str, content: IO[bytes]) -> bytes:
    """Write a new file; return the digest of its content."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    digest = hashlib.sha256()
    with os.fdopen(fd, "wb") as file:
        # The umask may take away what its readers need.
        os.fchmod(fd, 0o644)
        while data := content.read(CHUNK):
            digest.update(data)
            file.write(data)
    return digest.digest()


def _relative(name: str) -> str:
    """The name in its one spelling, "" for the root. Errors: HostError where it leads outside."""
    if name.startswith("/"):
        raise _refusal(name, "its name is absolute")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise _refusal(name, "its name leads out of the archive")
    return "/".join(parts)


def _kind(member: tarfile.TarInfo) -> str:
    if member.issym():
        return "a symlink"
    if member.islnk():
        return "a hard link"
    return "a sparse file" if member.issparse() else "neither a file nor a folder"


def _encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _refusal(name: str, why: str) -> HostError:
    return HostError(f"the archive must not hold {name!r}", why, FIX)
