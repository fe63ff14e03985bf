"""HTTP as a visitor would speak it, from inside a host's network; shares nothing with reconcile."""

from __future__ import annotations

import ctypes
import http.client
import os
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import Message

CLONE_NEWNET = 0x40000000


@dataclass(frozen=True)
class Response:
    """An answer as it came over the wire."""

    status: int
    headers: Message
    body: bytes

    def lines(self, name: str) -> list[str]:
        """The values of every header line of that name, in order."""
        return self.headers.get_all(name, [])


def connect(namespace: str, address: str, port: int, timeout_s: float) -> socket.socket:
    """Open a connection inside the network namespace at the path `namespace`."""
    # A thread alone changes its namespace; the socket stays in the one it was made in.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_connect_inside, namespace, address, port, timeout_s).result()


def _connect_inside(namespace: str, address: str, port: int, timeout_s: float) -> socket.socket:
    descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(descriptor)
    return socket.create_connection((address, port), timeout_s)


def exchange(
    connection: socket.socket,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes | None,
) -> Response:
    """Send one request and read the whole answer."""
    client = http.client.HTTPConnection("inside.invalid")
    client.sock = connection
    client.request(method, path, body=body, headers={"Connection": "close", **headers})
    with client.getresponse() as answer:
        return Response(answer.status, answer.headers, answer.read())
