"""The receiving end of systemd's readiness protocol, for programs of Type=notify."""

from __future__ import annotations

import secrets
import socket
from types import TracebackType
from typing import Self

_READY = b"READY=1"


class ReadySocket:
    """Where a program says that it is ready. Source: sd_notify(3).

    The name is abstract: it leaves no file, and no path can be too long for it.
    """

    def __init__(self) -> None:
        self._name = f"reconcile-{secrets.token_hex(8)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + self._name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    @property
    def address(self) -> str:
        """The value of NOTIFY_SOCKET."""
        return "@" + self._name

    def is_ready(self, *, wait_s: float) -> bool:
        """Whether READY=1 comes within `wait_s`; anything else that is said is passed over."""
        self._socket.settimeout(wait_s)
        try:
            return _READY in self._socket.recv(4096).splitlines()
        except TimeoutError:
            return False
