"""Real OpenSSH on this machine: strict host keys, one session a host, nothing left behind."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.test_local_hosts import Hosts
from tests.support.ports import free_port

pytestmark = pytest.mark.process

SSHD = "/usr/sbin/sshd"


class OpenSsh:
    """A server of this user's own, on a free port, with a log."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        for name in ("host", "client"):
            self._keygen(name)
        shutil.copy(folder / "client.pub", folder / "authorized")
        (folder / "authorized").chmod(0o600)
        key = " ".join((folder / "host.pub").read_text().split()[:2])
        (folder / "known").write_text(f"[127.0.0.1]:{self.port} {key}\n")
        (folder / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\n"
            f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\n"
            f"PidFile none\nLogLevel DEBUG1\nSubsystem sftp internal-sftp\n"
            f"PermitRootLogin yes\nSetEnv TMPDIR={folder.parent}/tmp\n"
        )
        os.makedirs("/run/sshd", exist_ok=True)
        arguments = [SSHD, "-D", "-f", str(folder / "config"), "-E", str(folder / "log")]
        self.process = subprocess.Popen(arguments)
        while "Server listening" not in self.log:
            time.sleep(0.02)

    def _keygen(self, name: str) -> None:
        path = self.folder / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def host(self, known: str = "known") -> str:
        return (
            f"ssh: {getpass.getuser()}@127.0.0.1, port: {self.port}, ssh_key: {self.folder}/client,"
            f" known_hosts: {self.folder}/{known}"
        )


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


@pytest.mark.skipif(os.geteuid() != 0, reason="sshd logs in this user without PAM only as root")
def test_hosts_are_planned_and_applied_by_one_session_each(tmp_path: Path, ssh: OpenSsh) -> None:
    hosts = Hosts(tmp_path, "abc", "{order: [1, 100%], timeout: 60s}")
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
    assert (2, 6) == (sessions, channels)
    assert "one" == hosts.content("a")
    assert [] == hosts.left_behind()


@pytest.mark.skipif(os.geteuid() != 0, reason="sshd logs in this user without PAM only as root")
def test_a_host_that_sends_without_end_is_cut_off(tmp_path: Path, ssh: OpenSsh) -> None:
    hosts = Hosts(tmp_path, "ab", "{timeout: 60s}")
    by_ssh(hosts, ssh.host(), ssh.host())
    # Instead of the answer to the first script: what a hostile host sends.
    forced = f'command="cat /dev/zero" {(tmp_path / "ssh/client.pub").read_text()}'
    (tmp_path / "ssh/authorized").write_text(forced)

    started = time.monotonic()
    code, document = hosts.fleet("drift")

    assert (1, {"unreachable"}) == (code, set(hosts.states(document).values()))
    assert time.monotonic() - started < 60
