"""The output of a host's command, and what its SSH server sends, within limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from paramiko import SSHException
from paramiko.packet import Packetizer

MOST_BYTES, MOST_ERROR_BYTES = 64 << 20, 1 << 20
MOST_LINES = 300_000
LARGEST_PACKET = 1 << 20
"""RFC 4253 asks for 35,000 bytes; servers send up to 256 KiB."""
LARGEST_BANNER = 64 << 10
_CHUNK = 1 << 16


class OutputExceeded(Exception):
    """A host sends more than any answer of reconcile."""


def read_output(stream: Any, *, is_stderr: bool) -> str:
    """All that arrives on a stream of paramiko, or of a local process.

    Errors: OutputExceeded; the stream is closed then, which ends the command.
    """
    found = list[bytes]()
    bytes_left, lines_left = MOST_ERROR_BYTES if is_stderr else MOST_BYTES, MOST_LINES
    receive = _receiver(stream, is_stderr=is_stderr)
    while data := receive(_CHUNK):
        bytes_left -= len(data)
        lines_left -= data.count(b"\n")
        if bytes_left < 0 or lines_left < 0:
            getattr(stream, "channel", stream).close()
            raise OutputExceeded("the answer is larger than any answer of reconcile")
        found.append(data)
    return b"".join(found).decode("utf-8", "replace")


def _receiver(stream: Any, *, is_stderr: bool) -> Callable[[int], bytes]:
    channel = getattr(stream, "channel", None)
    receive: Callable[[int], bytes]
    if channel is None:
        receive = stream.read1
    else:
        receive = channel.recv_stderr if is_stderr else channel.recv
    return receive


def limit_packets() -> None:
    """Let paramiko refuse what only a hostile server sends, before it is in memory."""
    setattr(Packetizer, "read_all", _read_all)  # noqa: B010  mypy: methods are not assigned
    setattr(Packetizer, "_read_timeout", _read_banner)  # noqa: B010


_read_any: Any = Packetizer.read_all
_read_any_banner: Any = vars(Packetizer)["_read_timeout"]


def _read_all(self: Any, n: int, check_rekey: bool = False) -> bytes:
    if n > LARGEST_PACKET:
        raise SSHException(f"The server sends a packet of {n} bytes")
    data: bytes = _read_any(self, n, check_rekey)
    return data


def _read_banner(self: Any, timeout: float) -> bytes:
    data: bytes = _read_any_banner(self, timeout)
    self.banner_bytes = getattr(self, "banner_bytes", 0) + len(data)
    if self.banner_bytes > LARGEST_BANNER:
        raise SSHException("The server sends no SSH banner")
    return data
