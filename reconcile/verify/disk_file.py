"""A file as it lies on the disk, to be compared with what nginx sends."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from posixpath import join
from typing import TYPE_CHECKING
from urllib.parse import quote

from reconcile.dataclass import dataclass
from reconcile.filesystem.compress import COMPRESSED
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.inventory import Item, inventory
from reconcile.wording import counted

if TYPE_CHECKING:
    from reconcile.config.probes import FilesProbe
    from reconcile.system import Host

MOST_FILES = 100
"""Files of a location that are compared; above it, a sample of that size."""
MOST_CHANGED = 200
MOST_LISTED = 5_000
"""Names of a folder from which the sample is taken."""
WHOLE = 1 << 20
"""Bytes above which only both ends of a file are compared."""
END = 64 << 10


@dataclass(frozen=True)
class Chosen:
    """The files to compare, relative to the folder, and what was left out of them, in words."""

    paths: tuple[str, ...]
    note: str
    left_out: int = 0


@dataclass(frozen=True)
class DiskFile:
    """The size of a file, and its bytes in pieces: from which offset, and what is there."""

    path: str
    size: int
    pieces: tuple[tuple[int, bytes], ...]

    @property
    def is_whole(self) -> bool:
        """Whether the one piece is all of it."""
        return self.size <= WHOLE


def read_disk_file(host: Host, path: str) -> DiskFile | None:
    """Read `path`, or both its ends; None where it is no file, or this user may not read it.

    Errors: HostError.
    """
    try:
        return _read(host, path)
    except HostError as error:
        if error.errno in (errno.EACCES, errno.ENOENT):
            return None
        raise


def _read(host: Host, path: str) -> DiskFile | None:
    found = host.files.stat(path, follow=True)
    if found is None or found.kind != "file":
        return None
    if found.size <= WHOLE:
        content = host.files.content(path)
        return content and DiskFile(path, len(content[1]), ((0, content[1]),))
    starts = (0, found.size - END)
    return DiskFile(path, found.size, tuple((at, host.files.part(path, at, END)) for at in starts))


def choose_files(probe: FilesProbe) -> Chosen:
    """The files of a probe, or a sample of them. Errors: OSError where they cannot be listed."""
    if probe.changed is not None:
        originals = dict.fromkeys(_original(path) for path in probe.changed)
        own = [path for path in originals if _is_own(probe, path)]
        return _sampled(own, MOST_CHANGED, "changed file")
    listed = inventory(probe.dir, MOST_LISTED)
    items = [item for item in listed.of_kind("file") if _is_own(probe, item.path)]
    paths = [path for path, _ in _without_siblings(items)]
    if len(paths) <= MOST_FILES:
        return Chosen(tuple(paths), counted(len(paths), "file"))
    kinds = {_ending(path): path for path in reversed(paths)}
    first = sorted(kinds.values())
    rest = [path for path in paths if path not in set(first)]
    noun = "file" if listed.complete else "or more file"
    return _sampled([*first, *rest], MOST_FILES, noun, always=len(first))


def url_path(probe: FilesProbe, path: str) -> str:
    """The URL path of a file, with every character encoded that may not stand in one."""
    return probe.prefix + quote(path, safe="/", errors="surrogateescape")


def _is_own(probe: FilesProbe, path: str) -> bool:
    hidden = any(name.startswith(".") for name in path.split("/"))
    return not hidden and not any((probe.prefix + path).startswith(one) for one in probe.others)


def _without_siblings(items: Sequence[Item]) -> Iterator[tuple[str, Item]]:
    """A compressed sibling is compared with its file."""
    names = {item.path for item in items}
    for item in items:
        stem, dot, ending = item.path.rpartition(".")
        if dot + ending not in COMPRESSED or stem not in names:
            yield item.path, item


def _sampled(paths: Sequence[str], most: int, noun: str, *, always: int = 0) -> Chosen:
    """The first `always`, and of the rest as many as fit, evenly spread."""
    if len(paths) <= most:
        return Chosen(tuple(paths), counted(len(paths), noun))
    always = min(always, most)
    rest = paths[always:]
    step = len(rest) / max(most - always, 1)
    spread = [rest[int(number * step)] for number in range(most - always)]
    note = f"a sample of {most} of {len(paths):,} {noun}s"
    return Chosen((*paths[:always], *spread), note, len(paths) - most)


def _original(path: str) -> str:
    stem, dot, ending = path.rpartition(".")
    return stem if dot + ending in COMPRESSED else path


def _ending(path: str) -> str:
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""


def file_path(probe: FilesProbe, path: str) -> str:
    """The absolute path of a file."""
    return join(probe.dir, path)
