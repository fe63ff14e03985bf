"""One HTTP request to a given address: bounded in time and size, without redirects."""

from __future__ import annotations

import errno
import io
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from reconcile.dataclass import dataclass

if TYPE_CHECKING:
    import ssl
    from http.client import HTTPResponse

_PROXY_HEADER = b"PROXY UNKNOWN\r\n"
"""Source: The PROXY protocol, section 2.1."""

BODY_LIMIT = 64 * 1024
"""The bytes of a body that are read; the rest is discarded."""

HttpError = Literal[
    "refused", "reset", "timeout", "unreachable", "no_such_family", "tls", "protocol", "failed"
]
_ERRNO: dict[int | None, HttpError] = {
    errno.ECONNREFUSED: "refused",
    errno.ENOENT: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ECONNABORTED: "reset",
    errno.ETIMEDOUT: "timeout",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EAFNOSUPPORT: "no_such_family",
    errno.EADDRNOTAVAIL: "no_such_family",
}


@dataclass(frozen=True)
class HttpTarget:
    """A server: `address` is an IP or `unix:/path`; `host` is the Host header and the SNI.

    The certificate is not verified: the server is on this machine, and it may be self-signed.
    `behind_proxy`: it waits for the PROXY protocol of a load balancer, which names no client here.
    """

    address: str
    port: int
    host: str
    tls: bool = False
    behind_proxy: bool = False
    authorization: str = field(default="", repr=False)
    source: str = ""
    """The address that the connection comes from; "" for the usual one."""

    @property
    def authority(self) -> str:
        """The Host header, with the port where it is not the default one."""
        usual = 443 if self.tls else 80
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == usual else f"{name}:{self.port}"


@dataclass(frozen=True)
class HttpAnswer:
    """A response; `error` and `detail` where none came. Headers keep order and duplicates."""

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    elapsed_ms: float = 0.0
    peer: str = ""
    error: HttpError | None = None
    detail: str = ""

    def values(self, name: str) -> tuple[str, ...]:
        """Every value of the header `name`, in order."""
        return tuple(value for key, value in self.headers if key.lower() == name.lower())


@dataclass(frozen=True)
class Negotiation:
    """The protocol of a TLS connection, None where the server chose none; or why there is none."""

    protocol: str | None = None
    error: HttpError | None = None
    detail: str = ""


class HttpClient:
    """Sends each request on a new connection; no redirect, no proxy, no name lookup."""

    def request(
        self,
        target: HttpTarget,
        path: str,
        *,
        method: str = "GET",
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        timeout_s: float = 5.0,
    ) -> HttpAnswer:
        """Send one request. `timeout_s` bounds the whole exchange.

        Errors: none; a failed exchange is an answer with `error`.
        """
        started = time.monotonic()
        deadline = Deadline(started + timeout_s)
        try:
            request = encoded_request(target, path, method, headers, body)
            answer = _exchange(target, request, method, deadline)
        except TimeoutError:
            answer = HttpAnswer(
                error="timeout", detail=f"no complete answer within {timeout_s:g} s"
            )
        except OSError as problem:
            answer = HttpAnswer(error=error_kind(problem), detail=problem.strerror or str(problem))
        return replace(answer, elapsed_ms=round((time.monotonic() - started) * 1000, 1))

    def negotiate(
        self, target: HttpTarget, protocols: Sequence[str], *, timeout_s: float = 5.0
    ) -> Negotiation:
        """The one of `protocols` that the server chooses. Source: RFC 7301.

        Errors: none; a failed handshake is a result with `error`.
        """
        try:
            deadline = Deadline(time.monotonic() + timeout_s)
            sock = connected_socket(target, deadline)
            with sock, _with_tls(sock, target, deadline, protocols) as encrypted:
                return Negotiation(encrypted.selected_alpn_protocol())
        except TimeoutError:
            return Negotiation(error="timeout", detail=f"no handshake within {timeout_s:g} s")
        except OSError as problem:
            detail = problem.strerror or str(problem)
            return Negotiation(error=error_kind(problem), detail=detail)


def multipart(field: str, filename: str, content: bytes) -> tuple[str, bytes]:
    """The Content-Type and the body of a form with one file, as a browser sends it.

    Source: RFC 7578; the HTML standard for the quoting of names.
    """
    boundary = f"reconcile-{os.urandom(12).hex()}"
    disposition = f'form-data; name="{_quoted(field)}"; filename="{_quoted(filename)}"'
    head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\nContent-Type: text/plain\r\n\r\n"
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body


def _quoted(name: str) -> str:
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


class Deadline:
    """A moment of the monotonic clock."""

    def __init__(self, at: float) -> None:
        self._at = at

    def left_s(self) -> float:
        """The seconds that are left. Errors: TimeoutError where none are."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class TimedStream(io.RawIOBase):
    """Reads a socket until a deadline; a socket's own timeout restarts with every byte."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock, self._deadline = sock, deadline

    def readable(self) -> bool:
        """True: `io.BufferedReader` asks for it."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # narrower than Buffer
        """Receive up to `len(buffer)` bytes. Errors: TimeoutError after the deadline."""
        self._sock.settimeout(self._deadline.left_s())
        return self._sock.recv_into(buffer)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What HTTPResponse reads from: it takes this stream for a socket."""
        return io.BufferedReader(self)


def encoded_request(
    target: HttpTarget,
    path: str,
    method: str,
    headers: Sequence[tuple[str, str]],
    body: bytes,
    connection: str = "close",
) -> bytes:
    """A request as it is sent; `path` may hold characters that a URL has to encode."""
    usual = [("Host", target.authority), ("Connection", connection), ("User-Agent", "reconcile")]
    usual += [("Authorization", target.authorization)] if target.authorization else []
    given = {name.lower() for name, _ in headers}
    fixed = [(name, value) for name, value in usual if name.lower() not in given]
    length = [("Content-Length", str(len(body)))] if body or method == "POST" else []
    lines = [f"{method} {quote(path, safe=_URL_CHARACTERS, errors='surrogateescape')} HTTP/1.1"]
    lines += [f"{name}: {_one_line(value)}" for name, value in [*fixed, *headers, *length]]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


_URL_CHARACTERS = "/%?&=+:;@!$'()*,~-._"


def _one_line(value: str) -> str:
    if "\r" in value or "\n" in value:
        raise ValueError(f"a header cannot hold a line break: {value!r}")
    return value


def _exchange(target: HttpTarget, request: bytes, method: str, deadline: Deadline) -> HttpAnswer:
    with connected(target, deadline) as sock:
        peer = peer_of(sock)
        refusal = _send(sock, request, deadline)
        stream = TimedStream(sock, deadline)
        try:
            return read_answer(stream, peer, method=method)
        except ConnectionError as problem:
            raise refusal or problem from None


def _send(sock: socket.socket, request: bytes, deadline: Deadline) -> OSError | None:
    """Send all; the error where the server closed early, as it may to reject a large body."""
    sock.settimeout(deadline.left_s())
    try:
        sock.sendall(request)
    except (BrokenPipeError, ConnectionResetError) as problem:
        return problem
    return None


def read_answer(
    stream: TimedStream, peer: str, limit: int = BODY_LIMIT, method: str = "GET"
) -> HttpAnswer:
    """Read a response up to `limit` bytes of its body."""
    # Takes 20 ms to import, and a plan sends no request.
    from http.client import HTTPException, HTTPResponse

    response = HTTPResponse(stream, method=method)  # type: ignore[arg-type] # only makefile is used
    try:
        response.begin()
        body = response.read(limit + 1)
    except HTTPException as problem:
        if isinstance(problem, ConnectionError):
            raise
        detail = f"{type(problem).__name__}: {problem}"
        return HttpAnswer(error="protocol", detail=detail[:200])
    answer = HttpAnswer(
        status=response.status,
        headers=tuple(response.getheaders()),
        body=body[:limit],
        peer=peer,
    )
    return answer if len(body) > limit else _require_complete(answer, response)


def _require_complete(answer: HttpAnswer, response: HTTPResponse) -> HttpAnswer:
    if not response.length:
        return answer
    detail = f"the body lacks {response.length} bytes"
    return HttpAnswer(peer=answer.peer, error="protocol", detail=detail)


def connected(target: HttpTarget, deadline: Deadline) -> socket.socket:
    """A new connection, with TLS where the target has it. Errors: OSError."""
    sock = connected_socket(target, deadline)
    if not target.tls:
        return sock
    try:
        return _with_tls(sock, target, deadline)
    except BaseException:
        sock.close()
        raise


def connected_socket(target: HttpTarget, deadline: Deadline) -> socket.socket:
    """A new connection, before any TLS. Errors: OSError."""
    unix = target.address.startswith("unix:")
    ip = socket.AF_INET6 if ":" in target.address else socket.AF_INET
    sock = socket.socket(socket.AF_UNIX if unix else ip, socket.SOCK_STREAM)
    try:
        sock.settimeout(deadline.left_s())
        if target.source:
            sock.bind((target.source, 0))
        sock.connect(target.address[5:] if unix else (target.address, target.port))
        if target.behind_proxy:
            sock.sendall(_PROXY_HEADER)
    except BaseException:
        sock.close()
        raise
    return sock


def _with_tls(
    sock: socket.socket, target: HttpTarget, deadline: Deadline, protocols: Sequence[str] = ()
) -> ssl.SSLSocket:
    # Takes 10 ms to import.
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(protocols)
    sock.settimeout(deadline.left_s())
    return context.wrap_socket(sock, server_hostname=target.host)


def peer_of(sock: socket.socket) -> str:
    """The address at its other end."""
    name = sock.getpeername()
    return str(name[0]) if isinstance(name, tuple) else str(name)


def error_kind(problem: OSError) -> HttpError:
    """Why an exchange failed, in one word."""
    if type(problem).__module__ == "ssl":
        return "tls"
    if isinstance(problem, ConnectionResetError):
        return "reset"
    return _ERRNO.get(problem.errno, "failed")
