"""All that a folder of assets holds, as one digest."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from reconcile.filesystem.names import as_bytes
from reconcile.filesystem.read import digest_of
from reconcile.filesystem.source import Source, source


def digest_of_source(path: str) -> str:
    """`sha256:…` of the names and contents that would be shipped from `path`."""
    whole = sha256()
    with source(path) as origin:
        for name, content in _shipped(origin):
            whole.update(as_bytes(name) + b"\0" + as_bytes(content) + b"\0")
    return f"sha256:{whole.hexdigest()}"


def _shipped(origin: Source) -> Iterator[tuple[str, str]]:
    """Path → digest of a file, real path of a directory; each of these is entered once."""
    waiting, entered = [("", "")], {""}
    while waiting:
        shown, folder = waiting.pop()
        with origin.listing(folder) as at:
            found = origin.originals(folder, at, sorted(at.names))
        for name, one in found.items():
            path = f"{shown}/{name}"
            if not one.is_directory:
                with origin.opened(one.real) as fd:
                    yield path, digest_of(fd)
                continue
            yield path, f"{one.real}/"
            if one.real not in entered:
                entered.add(one.real)
                waiting.append((path, one.real))
