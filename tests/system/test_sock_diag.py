"""Which process has accepted a connection, and what it takes to know."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from reconcile.system import sock_diag
from reconcile.system.sock_diag import Connection, accepting_sockets
from reconcile.system.sockets import accepted_by

pytestmark = pytest.mark.process

FAMILIES = {
    "IPv4": ("127.0.0.1", "127.0.0.1"),
    "IPv6": ("::1", "::1"),
    "IPv4 at a socket of both": ("::", "127.0.0.1"),
    "IPv4 written as IPv6": ("::", "::ffff:127.0.0.1"),
}


@contextmanager
def connected(bound: str, asked: str, count: int = 1) -> Iterator[list[tuple[Connection, int]]]:
    """Connections, each with the inode of the socket that accepted it."""
    family = socket.AF_INET6 if ":" in bound else socket.AF_INET
    with ExitStack() as stack:
        server = stack.enter_context(
            socket.create_server((bound, 0), family=family, dualstack_ipv6=bound == "::")
        )
        found = []
        for _ in range(count):
            own = stack.enter_context(socket.create_connection((asked, server.getsockname()[1])))
            accepted = stack.enter_context(closing(server.accept()[0]))
            found.append((Connection.of(own), os.fstat(accepted.fileno()).st_ino))
        yield found


@pytest.fixture(params=["netlink", "the table"])
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where it is known from; netlink may be forbidden."""
    if request.param == "the table":
        monkeypatch.setattr(sock_diag, "_NETLINK_SOCK_DIAG", 4_000)
    return str(request.param)


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(("bound", "asked"), FAMILIES.values(), ids=FAMILIES)
def test_the_accepting_socket_is_found_by_the_ends_of_the_connection(
    bound: str, asked: str
) -> None:
    if ":" in bound and not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    with connected(bound, asked, count=3) as made:
        found = accepting_sockets([connection for connection, _ in made])

    assert {inode: connection.own[1] for connection, inode in made} == found


def test_netlink_is_asked_without_reading_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sock_diag, "_established", lambda _: ())

    with connected("127.0.0.1", "127.0.0.1") as [(connection, inode)]:
        if not accepting_sockets([connection]):
            pytest.skip("this kernel does not answer such questions")
        assert {inode: connection.own[1]} == accepting_sockets([connection])


@pytest.mark.usefixtures("source")
def test_what_another_machine_accepted_is_not_found() -> None:
    elsewhere = Connection(("192.0.2.1", 40_000), ("192.0.2.2", 80))

    assert {} == accepting_sockets([elsewhere])


@pytest.mark.usefixtures("source")
def test_the_process_that_accepted_is_one_of_the_candidates() -> None:
    with connected("127.0.0.1", "127.0.0.1") as [(connection, _)]:
        own = {connection.own[1]: os.getpid()}
        assert own == accepted_by([os.getpid()], [connection])
        assert {} == accepted_by([os.getppid()], [connection])
        assert {} == accepted_by([], [connection])


def test_a_kernel_without_either_knows_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sock_diag, "_NETLINK_SOCK_DIAG", 4_000)
    monkeypatch.setattr(sock_diag, "_TABLES", (f"{tmp_path}/absent",))

    with connected("127.0.0.1", "127.0.0.1") as [(connection, _)]:
        assert {} == accepting_sockets([connection])
