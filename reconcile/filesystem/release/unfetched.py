"""What a checkout lacks: files that Git LFS has not fetched, and submodules that are empty."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from posixpath import basename
from typing import NamedTuple

from reconcile.filesystem.place_guard import UNGUARDED, PlaceGuard
from reconcile.filesystem.release.listing import ReleaseFile, ReleaseListing
from reconcile.filesystem.sync.source import Source, open_source

_POINTER = b"version https://git-lfs.github.com/spec/"
_POINTER_BYTES = range(len(_POINTER), 1024)
"""Source: the specification of Git LFS: a pointer has less than 1024 bytes."""
_OF_LFS = b"filter=lfs"
_SUBMODULE = re.compile(rb'^\s*path\s*=\s*"?(.+?)"?\s*$', re.MULTILINE)
_MOST_BYTES = 1 << 20


class Unfetched(NamedTuple):
    """Paths in the source."""

    pointers: tuple[str, ...] = ()
    submodules: tuple[str, ...] = ()


def find_unfetched(listing: ReleaseListing, guard: PlaceGuard = UNGUARDED) -> Unfetched:
    """What stands for other content in a release of this source. Errors: OSError."""
    attributes = [one for one in listing.files if basename(one.path) == ".gitattributes"]
    modules = [one for one in listing.files if one.path == ".gitmodules"]
    if not attributes and not modules:
        return Unfetched()
    with open_source(listing.source, guard, refuse=True, copies_hidden=True) as source:
        uses_lfs = any(_OF_LFS in _start(source, one) for one in attributes)
        pointers = _pointers(source, listing) if uses_lfs else ()
        named = (path for one in modules for path in _SUBMODULE.findall(_start(source, one)))
        return Unfetched(tuple(pointers), tuple(_empty(source, map(os.fsdecode, named))))


def _pointers(source: Source, listing: ReleaseListing) -> Iterator[str]:
    for file in listing.files:
        is_small = file.signature.size in _POINTER_BYTES
        if is_small and _start(source, file, len(_POINTER)) == _POINTER:
            yield file.path


def _empty(source: Source, paths: Iterator[str]) -> Iterator[str]:
    for path in paths:
        if path.startswith("/") or ".." in path.split("/"):
            continue
        try:
            with source.listing(path) as found:
                is_empty = not found.names
        except (FileNotFoundError, NotADirectoryError):
            continue
        if is_empty:
            yield path


def _start(source: Source, file: ReleaseFile, most: int = _MOST_BYTES) -> bytes:
    with source.open_file(file.source_path) as fd:
        return os.pread(fd, most, 0)
