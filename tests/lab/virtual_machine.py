"""One Debian on a kernel of its own, which qemu emulates: what no container has, such as SELinux.

Without hardware's help a boot takes a minute or more.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tests.lab.debian import KILLED, CommandFailedError, DebianHost, bounded
from tests.lab.images import layers
from tests.lab.virtual_image import virtual_image
from tests.support.wait import wait_for

BOOT_TIMEOUT_S = 1200
# `max` has five levels of pages: with them qemu 7.2 fails the kernel's own reads, and paths in
# labels and in the log become xxxx.
CPU = "Nehalem"
# The whole machine is emulated: the clock of a command is not that of a real one.
SLOWER = 10


@dataclass(frozen=True)
class VirtualHost(DebianHost):
    """A virtual machine as a test has it; a command runs as root, in an unconfined context."""

    port: BinaryIO

    def _raw(
        self,
        argv: Sequence[str],
        data: bytes | None,
        timeout_s: float,
        user: str | None,
        cwd: str,
        env: Mapping[str, str],
    ) -> subprocess.CompletedProcess[bytes]:
        asked = {
            "argv": bounded(argv, timeout_s * SLOWER, user, cwd, env),
            "input": base64.b64encode(data or b"").decode(),
        }
        self.port.write(json.dumps(asked).encode() + b"\n")
        self.port.flush()
        answer = json.loads(self.port.readline())
        if answer["code"] in (KILLED, -9):
            raise CommandFailedError(f"{' '.join(argv)}: killed (after {timeout_s * SLOWER} s)")
        out, err = (base64.b64decode(answer[name]) for name in ("stdout", "stderr"))
        return subprocess.CompletedProcess(list(argv), answer["code"], out, err)


@contextmanager
def booted(*parameters: str) -> Iterator[VirtualHost]:
    """A machine with the tool installed, its kernel started with `parameters`; ends with the body.

    What it writes to its disk is lost.
    """
    if not shutil.which("qemu-system-x86_64"):
        raise RuntimeError("qemu is missing: apt install qemu-system-x86")
    image, project = virtual_image(), layers()[0]
    with tempfile.TemporaryDirectory() as folder:
        tool, console = Path(folder, "tool.tar"), Path(folder, "console")
        subprocess.run(["tar", "-c", "-f", tool, "-C", project, "."], check=True)
        at = Path(folder, "port")
        command = [*_machine(image, tool, console, at), "-append", _append(parameters)]
        with subprocess.Popen(command, env={**os.environ, "TMPDIR": folder}) as process:
            try:
                with _port(at, process, console) as port:
                    host = VirtualHost("virtual", "127.0.0.1", process.pid, "virtual", port)
                    host.run("tar", "-x", "-C", "/", "--no-same-owner", "-f", "/dev/vdb")
                    host.run("systemctl", "is-system-running", "--wait", check=False)
                    yield host
            finally:
                process.kill()


def _machine(image: Path, tool: Path, console: Path, port: Path) -> list[str]:
    return [
        *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", CPU),
        *("-m", "1024", "-smp", "2", "-nodefaults", "-display", "none", "-nic", "none"),
        *("-no-reboot", "-snapshot", "-serial", f"file:{console}"),
        *("-kernel", str(image / "kernel"), "-initrd", str(image / "initrd")),
        *("-drive", f"file={image / 'disk'},format=raw,if=virtio"),
        *("-drive", f"file={tool},format=raw,if=virtio"),
        *("-device", "virtio-serial", "-chardev", f"socket,id=lab,path={port},server=on,wait=off"),
        *("-device", "virtserialport,chardev=lab,name=lab"),
    ]


def _append(parameters: Sequence[str]) -> str:
    return " ".join(
        ("root=/dev/vda rw console=ttyS0 audit=1 audit_backlog_limit=8192", *parameters)
    )


@contextmanager
def _port(at: Path, process: subprocess.Popen[bytes], console: Path) -> Iterator[BinaryIO]:
    """The agent's port, once it has reported that it is up."""
    wait_for(at.exists, "qemu's socket")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(at))
        connection.settimeout(BOOT_TIMEOUT_S)
        with connection.makefile("rwb") as port:
            try:
                up = port.readline()
            except TimeoutError:
                up = b""
            if not up:
                text = console.read_text(errors="replace")[-3000:] if console.exists() else ""
                raise RuntimeError(f"the machine does not boot (qemu: {process.poll()}):\n{text}")
            connection.settimeout(None)
            yield port
