"""Several HTTP requests over one connection: all of them reach the same worker."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from reconcile.system.http import (
    Deadline,
    HttpAnswer,
    HttpTarget,
    TimedStream,
    connected,
    encoded_request,
    error_kind,
    peer_of,
    read_answer,
)
from reconcile.system.sock_diag import Connection


@dataclass
class HttpConnection:
    """A connection that stays open, and is opened again where the server has closed it.

    Units: `timeout_s` bounds one exchange.
    """

    target: HttpTarget
    timeout_s: float
    _sock: socket.socket | None = field(default=None, init=False)

    @property
    def ends(self) -> Connection | None:
        """Its two ends; None where it is closed, at either end."""
        with suppress(OSError):
            return Connection.of(self._sock) if self._sock else None
        return None

    def open(self) -> bool:
        """Connect; whether that worked."""
        try:
            self._sock = connected(self.target, Deadline(time.monotonic() + self.timeout_s))
        except OSError:
            self._sock = None
        return self._sock is not None

    def get(self, path: str, headers: Sequence[tuple[str, str]] = (), *, limit: int) -> HttpAnswer:
        """The response to one GET, with at most `limit` bytes of its body.

        Errors: none; a failed exchange is an answer with `error`.
        """
        was_open = self._sock is not None
        answer = self._exchange(path, headers, limit)
        if was_open and answer.error in ("reset", "protocol", "failed"):
            # The server may close an idle connection, or one that has served enough requests.
            return self._exchange(path, headers, limit)
        return answer

    def _exchange(self, path: str, headers: Sequence[tuple[str, str]], limit: int) -> HttpAnswer:
        deadline = Deadline(time.monotonic() + self.timeout_s)
        try:
            sock = self._sock = self._sock or connected(self.target, deadline)
            sock.settimeout(deadline.left_s())
            sock.sendall(encoded_request(self.target, path, "GET", headers, b"", "keep-alive"))
            answer = read_answer(TimedStream(sock, deadline), peer_of(sock), limit)
        except TimeoutError:
            answer = HttpAnswer(
                error="timeout", detail=f"no complete answer in {self.timeout_s:g} s"
            )
        except OSError as problem:
            answer = HttpAnswer(error=error_kind(problem), detail=problem.strerror or str(problem))
        if answer.error or len(answer.body) >= limit or not _stays_open(answer):
            self.close()
        return answer

    def close(self) -> None:
        """End the connection."""
        if self._sock:
            self._sock.close()
        self._sock = None


def _stays_open(answer: HttpAnswer) -> bool:
    return all(value.lower() != "close" for value in answer.values("Connection"))
