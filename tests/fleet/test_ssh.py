"""Real OpenSSH on this machine: strict host keys, one session a host, nothing left behind."""

from __future__ import annotations

import re
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.fleet.test_local_hosts import Hosts
from tests.support.needs_root import needs_root
from tests.support.open_ssh import OpenSsh

pytestmark = pytest.mark.process


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[OpenSsh]:
    (tmp_path / "ssh").mkdir(mode=0o700)
    server = OpenSsh(tmp_path / "ssh")
    yield server
    server.process.terminate()
    server.process.wait()


def by_ssh(hosts: Hosts, *connections: str) -> None:
    """Reach the hosts of a fleet by SSH instead."""
    path = hosts.folder / "fleet.yaml"
    text = path.read_text()
    for connection in connections:
        text = text.replace("local: true", connection, 1)
    path.write_text(text)


@needs_root("can have sshd log in without PAM")
def test_hosts_are_planned_and_applied_by_one_session_each(tmp_path: Path, ssh: OpenSsh) -> None:
    hosts = Hosts(tmp_path, "abc", "{order: [1, 100%], timeout: 9m}")
    (tmp_path / "ssh/none").touch()
    by_ssh(hosts, ssh.host(), ssh.host(), ssh.host("none"))

    planned_code, planned = hosts.fleet("plan", "--out", "plans")
    sessions = len(re.findall("Accepted publickey", ssh.log))
    channels = len(re.findall("Starting session:", ssh.log))
    code, applied = hosts.fleet("apply", "plans")

    assert {"a": "drift", "b": "drift", "c": "unreachable"} == hosts.states(planned), planned
    assert "No host key" in planned["hosts"]["c"]["problem"]
    assert {"a": "applied", "b": "applied", "c": "unreachable"} == hosts.states(applied), applied
    assert (1, 1) == (planned_code, code)
    assert (2, 2) == (sessions, channels)
    assert "one" == hosts.content("a")
    assert [] == hosts.left_behind()


@needs_root("can have sshd log in without PAM")
def test_a_host_that_sends_without_end_is_cut_off(tmp_path: Path, ssh: OpenSsh) -> None:
    hosts = Hosts(tmp_path, "ab", "{timeout: 9m}")
    by_ssh(hosts, ssh.host(), ssh.host())
    ssh.force("cat /dev/zero")

    code, document = hosts.fleet("drift")

    assert (1, {"unknown"}) == (code, set(hosts.states(document).values()))


@needs_root("can have sshd log in without PAM")
def test_an_answer_without_end_makes_a_host_unknown_and_takes_little_memory(
    tmp_path: Path, ssh: OpenSsh
) -> None:
    hosts = Hosts(tmp_path, "a", "{timeout: 9m}")
    by_ssh(hosts, ssh.host())
    ssh.force("head -c 1000000000 /dev/zero")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss

    code, document = hosts.fleet("drift")

    assert (1, {"a": "unknown"}) == (code, hosts.states(document)), document
    assert "larger than any answer" in document["hosts"]["a"]["problem"]
    assert max(before, 300 * 1024) >= resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


@needs_root("can have sshd log in without PAM")
def test_the_keys_of_jump_hosts_are_checked_too(tmp_path: Path, ssh: OpenSsh) -> None:
    hosts = Hosts(tmp_path, "ab", "{timeout: 9m}")
    by_ssh(hosts, f"{ssh.host()}")
    (tmp_path / ".ssh").mkdir()
    jump = f"Host jump\n HostName 127.0.0.1\n Port {ssh.port}\n IdentityFile {ssh.folder}/client\n"
    (tmp_path / ".ssh/config").write_text(f"Host 127.0.0.1\n ProxyJump jump\n{jump}")

    refused = hosts.fleet("drift", "--limit", "a")[1]["hosts"]["a"]
    (tmp_path / ".ssh/known_hosts").write_text((ssh.folder / "known").read_text())
    _, document = hosts.fleet("drift", "--limit", "a")

    assert "unreachable" == refused["state"]
    assert "No host key for [127.0.0.1]" in refused["problem"]
    assert {"a": "drift"} == hosts.states(document), document


@needs_root("can have sshd log in without PAM")
def test_a_changed_key_is_refused_with_what_to_do(tmp_path: Path, ssh: OpenSsh) -> None:
    hosts = Hosts(tmp_path, "a", "{timeout: 9m}")
    by_ssh(hosts, ssh.host("other"))
    key = " ".join((ssh.folder / "client.pub").read_text().split()[:2])
    (ssh.folder / "other").write_text(f"[127.0.0.1]:{ssh.port} {key}\n")

    done = hosts.run("fleet", "drift")

    assert 1 == done.returncode
    assert "does not match" in done.stdout
    assert "ssh-keygen -R" in done.stdout


FLOOD = b"x" * (1 << 20)
HUGE_PACKET = b"SSH-2.0-x\r\n\x7f\xff\xff\xfc"


@contextmanager
def hostile_server(greeting: bytes, rest: bytes, pause_s: float) -> Iterator[int]:
    """A server that greets, and then sends the rest again and again; its port."""

    def serve(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.sendall(greeting)
            while not is_over.wait(pause_s):
                connection.sendall(rest)

    def accept() -> None:
        with suppress(OSError):
            while not is_over.is_set():
                Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

    is_over = Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        is_over.set()


def test_a_server_that_never_lets_in_is_unreachable_in_time(tmp_path: Path) -> None:
    hosts = Hosts(tmp_path, "abcd", "{timeout: 2s}")
    with (
        hostile_server(b"", b"", 60) as silent,
        hostile_server(b"S", b"S", 0.5) as dripping,
        hostile_server(FLOOD, FLOOD, 0) as flooding,
        hostile_server(HUGE_PACKET, FLOOD, 0) as huge,
    ):
        by_ssh(hosts, *(f"ssh: x@127.0.0.1:{it}" for it in (silent, dripping, flooding, huge)))
        code, document = hosts.fleet("drift")

    assert (1, {"unreachable"}) == (code, set(hosts.states(document).values())), document
    assert "sends no SSH banner" in document["hosts"]["c"]["problem"]
    assert "sends a packet of" in document["hosts"]["d"]["problem"]
