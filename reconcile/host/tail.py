"""The last lines of a log that others write, never more than asked for."""

from __future__ import annotations

import os

from reconcile.host.errors import explained
from reconcile.host.files.read import opened
from reconcile.host.files.resolve import entry


def tail(path: str, limit: int) -> tuple[str, ...]:
    """The whole lines in the last `limit` bytes of `path`; none where there is no such file.

    Errors: HostError where it may not be read.
    """
    with explained(f"{path} cannot be read"):
        try:
            with entry(path, follow=True) as at, opened(at) as fd:
                start = max(0, os.fstat(fd).st_size - limit)
                data = os.pread(fd, limit, start)
        except (FileNotFoundError, NotADirectoryError):
            return ()
    # Where it was cut, the first line is only the end of one.
    whole = data.partition(b"\n")[2] if start else data
    return tuple(whole.decode("utf-8", "surrogateescape").splitlines())
