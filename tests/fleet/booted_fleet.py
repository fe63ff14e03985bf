"""Booted Debian hosts with OpenSSH, and this machine as their controller in the lab's network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.lab import DebianHost, Lab, images
from tests.lab.cache import built_once
from tests.support.command import COMMAND
from tests.support.wait import wait_for

LOG = "/var/log/sshd.log"
INSTALL_SSH = f"""
apt-get --quiet --quiet update
DEBIAN_FRONTEND=noninteractive apt-get --quiet --quiet install --yes --no-install-recommends \\
  openssh-server >/dev/null
rm -rf /var/cache/apt/archives/*.deb /var/lib/apt/lists/* /etc/ssh/ssh_host_*
echo 'SSHD_OPTS="-E {LOG}"' >/etc/default/ssh
echo 'LogLevel DEBUG' >/etc/ssh/sshd_config.d/debug.conf
useradd --create-home --shell /bin/bash deploy
echo 'deploy ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/deploy
useradd --create-home --shell /bin/bash ada
echo 'ada ALL=(ALL) ALL' >/etc/sudoers.d/ada
echo ada:secret | chpasswd
"""
LET_IN = """
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
for home in /root /home/deploy /home/ada; do
  mkdir -p -m 700 $home/.ssh; cat >$home/.ssh/authorized_keys
  chown -R $(stat -c %U:%G $home) $home/.ssh
done
"""


def layers_with_ssh() -> list[Path]:
    """What the hosts of the other tests boot from, with a server for SSH and people who log in."""
    below = images.layers()

    def build(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as mnt:
            images.layer_with(INSTALL_SSH, folder / "layer", below, Path(mnt))

    key = sha256("\0".join((*map(str, below), INSTALL_SSH)).encode()).hexdigest()[:16]
    return [built_once(f"ssh-{key}", build) / "layer", *below]


@dataclass
class BootedFleet:
    """Hosts by name, and the folder of the controller, which is its home too."""

    lab: Lab
    folder: Path
    hosts: dict[str, DebianHost] = field(default_factory=dict)

    @cached_property
    def key(self) -> Path:
        """The private key that every host lets in."""
        path = self.folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        (self.folder / ".ssh").mkdir(mode=0o700)
        (self.folder / "tmp").mkdir()
        self.lab.join("10.77.0.1/24")
        return path

    def boot(self, *names: str) -> None:
        """Boot hosts, and learn their keys."""
        public = self.key.with_suffix(".pub").read_bytes()
        for name in names:
            self.hosts[name] = host = self.lab.boot(name)
            # Each `cat` takes the whole input: the shell gets it three times.
            host.run("sh", "-euc", LET_IN.replace("cat >", f"echo '{public.decode().strip()}' >"))
            host.run("systemctl", "restart", "ssh")
            self.learn_key(name)

    def learn_key(self, name: str) -> None:
        """Add the host's key to known_hosts."""
        host = self.hosts[name]
        key = host.read("/etc/ssh/ssh_host_ed25519_key.pub").decode().split()[:2]
        with (self.folder / ".ssh/known_hosts").open("a") as file:
            file.write(f"{host.address} {' '.join(key)}\n")

    def write(self, rollout: str, names: Iterable[str] = (), **changed: str) -> None:
        """Write fleet.yaml: `changed` has the connections of hosts that are not root's."""
        lines = []
        for number, name in enumerate(names or self.hosts):
            ssh = changed.get(name, f"ssh: root@{self.hosts[name].address}")
            tags = ["canary"] if number == 0 else ["rest"]
            variables = f"{{name: {name}.example.com}}"
            lines.append(f"  {name}: {{{ssh}, ssh_key: ./key, tags: {tags}, vars: {variables}}}")
        text = ["version: 1", "hosts:", *lines, "config: ./site.yaml", f"rollout: {rollout}"]
        (self.folder / "fleet.yaml").write_text("\n".join(text) + "\n")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command in the network of the hosts."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}
        return subprocess.Popen(
            [*self.lab.entering, *COMMAND, *arguments],
            cwd=self.folder,
            env=environment | {"TMPDIR": str(self.folder / "tmp")},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str, timeout_s: float = 900) -> subprocess.CompletedProcess[str]:
        """Run a command there to its end."""
        with self.start(*arguments) as process:
            output, errors = process.communicate(timeout=timeout_s)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def fleet(self, *arguments: str) -> Answer:
        """What a command of the fleet answers."""
        started = time.monotonic()
        done = self.run("fleet", *arguments, "--json")
        took_s = time.monotonic() - started
        assert done.stdout, done.stderr
        return Answer(done.returncode, json.loads(done.stdout), took_s)

    def logins(self, name: str) -> int:
        """How many sessions the host's sshd has let in."""
        return len(re.findall("Accepted publickey", self.log(name)))

    def channels(self, name: str) -> int:
        """How many channels its sshd has opened in them."""
        return len(re.findall(r"server_input_channel_open: ctype session", self.log(name)))

    def log(self, name: str) -> str:
        """The log of the host's sshd."""
        return self.hosts[name].read(LOG).decode()

    def forget_logins(self) -> None:
        """Empty the logs."""
        for host in self.hosts.values():
            host.run("truncate", "-s0", LOG)

    def files(self, *names: str) -> Mapping[str, Any]:
        """The file trees of hosts that a rollout could change."""
        exclude = ("/var/log", "/run", "/var/lib/systemd", "/var/cache")
        return {
            name: self.hosts[name].manifest("/etc", "/var", "/srv", "/root", exclude=exclude)
            for name in names
        }

    def wait_for_sshd(self, name: str) -> None:
        """Wait until the host's sshd listens."""
        host = self.hosts[name]
        listening = ("sh", "-c", "ss -Hltn sport = :22 | grep -q .")
        wait_for(lambda: host.run(*listening, check=False).returncode == 0, "sshd")


@dataclass(frozen=True)
class Answer:
    """The exit code and the JSON of a command, and how long it took."""

    code: int
    document: dict[str, Any]
    took_s: float

    @property
    def states(self) -> dict[str, str]:
        """The state of each host."""
        return {name: host["state"] for name, host in self.document["hosts"].items()}

    @property
    def problems(self) -> dict[str, str]:
        """The problem of each host that has one."""
        hosts = self.document["hosts"]
        return {name: host["problem"] for name, host in hosts.items() if host["problem"]}

    @property
    def slowest_s(self) -> float:
        """How long the slowest host took."""
        return max(float(host["elapsed_s"]) for host in self.document["hosts"].values())
