"""Reads the end of log files that other programs write."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from reconcile.dataclass import dataclass
from reconcile.filesystem.host_error import explained
from reconcile.filesystem.read import glob, open_file, stat_of
from reconcile.filesystem.safe_path import pin_name

MAX_NEW_BYTES = 1 << 20


@dataclass(frozen=True)
class LogPosition:
    """The end of a log at one moment; a file that replaces it later is new as a whole."""

    path: str
    ino: int
    offset: int

    @classmethod
    def at_end_of(cls, path: str) -> LogPosition:
        """The present end of `path`. Errors: HostError where it cannot be examined."""
        with explained(f"{path} cannot be examined"):
            found = stat_of(path, follow=True)
        return cls(path, found.ino, found.size) if found else cls(path, 0, 0)

    def read_new(self) -> bytes:
        """The first MAX_NEW_BYTES bytes written since; empty where the file does not exist.

        Errors: HostError where it cannot be read.
        """
        with explained(f"{self.path} cannot be read"):
            try:
                with pin_name(self.path, follow=True) as at, open_file(at) as fd:
                    same = os.fstat(fd).st_ino == self.ino
                    return os.pread(fd, MAX_NEW_BYTES, self.offset if same else 0)
            except FileNotFoundError:
                return b""


def tail(path: str, limit: int) -> tuple[str, ...]:
    """The whole lines in the last `limit` bytes of `path`.

    Empty where it does not exist, or is a pipe, a terminal or /dev/null.
    Errors: HostError where it cannot be read.
    """
    with explained(f"{path} cannot be read"):
        try:
            with pin_name(path, follow=True) as at, open_file(at) as fd:
                start = max(0, os.fstat(fd).st_size - limit)
                data = os.pread(fd, limit, start)
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as refused:
            if refused.errno != errno.EINVAL:
                raise
            return ()
    # Behind the beginning of the file, the first line is only the end of one.
    whole = data.partition(b"\n")[2] if start else data
    return tuple(whole.decode("utf-8", "surrogateescape").splitlines())


def tail_with_rotated(path: str, limit: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Files and their last whole lines: the last rotated log, then the log itself.

    Together at most `limit` bytes. Errors: HostError where one cannot be read.
    """
    with explained(f"{path} cannot be examined"):
        now = stat_of(path, follow=True)
        left = limit - now.size if now else limit
        before = _rotated_file(path) if left > 0 else ""
    if before:
        yield before, tail(before, left)
    yield path, tail(path, limit)


def _rotated_file(path: str) -> str:
    """The last rotated log, if it is not compressed; "" where none is. Source: logrotate(8)."""
    if stat_of(f"{path}.1", follow=True) is not None:
        return f"{path}.1"
    dated = () if any(sign in path for sign in "*?[") else glob(f"{path}-[0-9]*")
    return max((name for name in dated if name[-1].isdigit()), default="")
