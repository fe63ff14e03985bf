"""A real OpenSSH server on this machine, for tests that log in."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from pathlib import Path

from tests.support.ports import free_port
from tests.support.wait import wait_for

SSHD = "/usr/sbin/sshd"


class OpenSsh:
    """A server of this user's own, on a free port, with a log."""

    def __init__(self, folder: Path, address: str = "127.0.0.1") -> None:
        self.folder, self.port = folder, free_port()
        for name in ("host", "client"):
            self._keygen(name)
        shutil.copy(folder / "client.pub", folder / "authorized")
        (folder / "authorized").chmod(0o600)
        key = " ".join((folder / "host.pub").read_text().split()[:2])
        (folder / "known").write_text(f"[127.0.0.1]:{self.port} {key}\n")
        (folder / "config").write_text(
            f"Port {self.port}\nListenAddress {address}\nMaxStartups 1000\nHostKey {folder}/host\n"
            f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\n"
            f"PidFile none\nLogLevel DEBUG1\nSubsystem sftp internal-sftp\n"
            f"PermitRootLogin yes\nSetEnv TMPDIR={folder.parent}/tmp"
            # Bash reads ~/.bashrc for each of sshd's commands, whatever a developer has there.
            f" HOME={folder.parent}\n"
        )
        os.makedirs("/run/sshd", exist_ok=True)
        arguments = [SSHD, "-D", "-f", str(folder / "config"), "-E", str(folder / "log")]
        self.process = subprocess.Popen(arguments)
        wait_for(lambda: "Server listening" in self.log, "sshd to listen")

    def _keygen(self, name: str) -> None:
        path = self.folder / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)

    def force(self, shell: str) -> None:
        """Run `shell` whatever is asked for, as a hostile host does."""
        forced = self.folder / "forced"
        forced.write_text(f"#!/bin/sh\n{shell}\n")
        forced.chmod(0o755)
        key = (self.folder / "client.pub").read_text()
        (self.folder / "authorized").write_text(f'command="{forced}" {key}')

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def host(self, known: str = "known") -> str:
        return (
            f"ssh: {getpass.getuser()}@127.0.0.1, port: {self.port}, ssh_key: {self.folder}/client,"
            f" known_hosts: {self.folder}/{known}"
        )
