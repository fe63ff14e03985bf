"""One request against servers that mean no good."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from reconcile.system.http import BODY_LIMIT, HttpAnswer, HttpClient, HttpTarget, multipart

pytestmark = pytest.mark.process

Behaviour = Callable[[socket.socket], None]


@contextmanager
def a_server(behave: Behaviour, address: str = "127.0.0.1") -> Iterator[HttpTarget]:
    """A server on a free port that treats one connection as `behave` says."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with closing(socket.create_server((address, 0), family=family)) as listener:
        thread = threading.Thread(target=serve_one, args=(listener, behave), daemon=True)
        thread.start()
        yield HttpTarget(address, listener.getsockname()[1], "shop.example")
    thread.join(5)


def serve_one(listener: socket.socket, behave: Behaviour) -> None:
    with listener.accept()[0] as connection:
        try:
            behave(connection)
        except OSError:
            return  # the client has hung up, which is what is tested


def answering(text: bytes) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(text)

    return behave


def ask(behave: Behaviour, *, timeout_s: float = 5.0) -> HttpAnswer:
    with a_server(behave) as target:
        return HttpClient().request(target, "/x", timeout_s=timeout_s)


def dripping(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
    stop = time.monotonic() + 60
    while time.monotonic() < stop:
        connection.sendall(b".")
        time.sleep(0.02)


def resetting(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def test_a_response_keeps_duplicate_headers_in_order() -> None:
    head = b"HTTP/1.1 404 Not Found\r\nCache-Control: a\r\nX: y\r\ncache-control: b\r\n"

    answer = ask(answering(head + b"Content-Length: 2\r\n\r\nno"))

    assert (404, b"no", ("a", "b")) == (answer.status, answer.body, answer.values("Cache-Control"))
    assert ("127.0.0.1", None) == (answer.peer, answer.error)


def test_a_server_that_drips_is_given_up_after_the_total_deadline() -> None:
    started = time.monotonic()

    answer = ask(dripping, timeout_s=0.3)

    assert "timeout" == answer.error
    assert time.monotonic() - started < 30


def test_a_server_that_drips_its_headers_is_given_up_too() -> None:
    def behave(connection: socket.socket) -> None:
        stop = time.monotonic() + 60
        while time.monotonic() < stop:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            time.sleep(0.02)

    assert "timeout" == ask(behave, timeout_s=0.3).error


def test_a_redirect_is_an_answer_not_a_step() -> None:
    answer = ask(answering(b"HTTP/1.1 301 M\r\nLocation: http://169.254.0.1/\r\n\r\n"))

    assert (301, ("http://169.254.0.1/",)) == (answer.status, answer.values("location"))


@pytest.mark.parametrize("size", [BODY_LIMIT, BODY_LIMIT + 1, 10**7])
def test_no_more_of_a_body_is_read_than_the_limit(size: int) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()

    answer = ask(answering(head + b"x" * size))

    assert b"x" * BODY_LIMIT == answer.body


@pytest.mark.parametrize(
    ("behave", "error"),
    [
        (resetting, "reset"),
        (answering(b""), "reset"),
        (answering(b"SSH-2.0-OpenSSH_9\r\n"), "protocol"),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"), "protocol"),
        (answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "protocol"),
        (answering(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000 + b"\r\n"), "protocol"),
        (answering(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 10**6 + b"\r\n\r\n"), "protocol"),
    ],
)
def test_a_malformed_response_is_an_error(behave: Behaviour, error: str) -> None:
    answer = ask(behave)

    assert (0, error) == (answer.status, answer.error)
    assert answer.detail


def test_a_port_without_a_server_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert "refused" == HttpClient().request(HttpTarget("127.0.0.1", port, "x"), "/").error


def test_a_plain_server_asked_by_tls_is_a_tls_error() -> None:
    with a_server(answering(b"HTTP/1.1 400 Bad\r\n\r\n")) as plain:
        target = HttpTarget(plain.address, plain.port, "shop.example", tls=True)

        assert "tls" == HttpClient().request(target, "/").error


def test_an_answer_over_v6_and_over_a_unix_socket(tmp_path: Path) -> None:
    with a_server(answering(b"HTTP/1.1 200 OK\r\n\r\n6"), "::1") as target:
        answer = HttpClient().request(target, "/")
        assert (b"6", "::1") == (answer.body, answer.peer)

    path = str(tmp_path / "s")
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(path)
        listener.listen()
        thread = threading.Thread(
            target=serve_one, args=(listener, answering(b"HTTP/1.1 200 OK\r\n\r\nu"))
        )
        thread.start()
        assert b"u" == HttpClient().request(HttpTarget(f"unix:{path}", 80, "x"), "/").body
        thread.join(5)


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    assert 200 == ask(answering(b"HTTP/1.1 200 OK\r\n\r\n")).status


def seen_request(path: str, host: str = "shop.example", **more: object) -> bytes:
    seen: list[bytes] = []

    def behave(connection: socket.socket) -> None:
        seen.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    with a_server(behave) as target:
        asked = HttpTarget(target.address, target.port, host)
        HttpClient().request(asked, path, **more)  # type: ignore[arg-type] # as the test says
    return seen[0]


def test_the_host_header_is_the_one_asked_for_with_its_port() -> None:
    head = seen_request("/").decode().split("\r\n")

    assert head[1].startswith("Host: shop.example:")
    assert "Connection: close" in head


def test_a_line_break_in_a_path_starts_no_second_header() -> None:
    head = seen_request("/a\r\nX-Evil: 1")

    assert head.startswith(b"GET /a%0D%0AX-Evil:%201 HTTP/1.1\r\n")


def test_a_line_break_in_a_header_is_refused() -> None:
    with pytest.raises(ValueError, match="line break"):
        HttpClient().request(HttpTarget("127.0.0.1", 1, "x"), "/", headers=[("A", "b\r\nc: d")])


def test_a_form_holds_the_file_as_a_browser_sends_it() -> None:
    kind, body = multipart('fi"le', "a.txt", b"content")

    boundary = kind.partition("boundary=")[2].encode()
    parts = body.split(b"--" + boundary)
    assert [b"", b"--\r\n"] == [parts[0], parts[2]]
    assert b'name="fi%22le"; filename="a.txt"' in parts[1]
    assert parts[1].endswith(b"\r\n\r\ncontent\r\n")


def test_an_early_refusal_of_a_large_body_is_heard() -> None:
    def behave(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    with a_server(behave) as target:
        answer = HttpClient().request(target, "/", method="POST", body=b"x" * 3_000_000)

    assert 413 == answer.status
