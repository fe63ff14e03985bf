"""One booted Debian host, driven from outside through its namespaces."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab import http, manifest
from tests.support.fixpoint import plan_after

if TYPE_CHECKING:
    import testinfra.host

Completed = subprocess.CompletedProcess[str]
SAFE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {"PATH": SAFE_PATH, "HOME": "/root", "LANG": "C.UTF-8"}
KILLED = 137
SHOWN_CHARACTERS = 3000
LIMIT_S = 900.0
"""Only a command that hangs takes as long, also where many hosts share few processors."""


class CommandFailedError(AssertionError):
    """A command that a test relies on did not exit 0."""


@dataclass(frozen=True)
class DebianHost:
    """A host as a test sees it.

    `address` is its IPv4 address in the lab; `leader` the PID of its systemd on this machine.
    """

    name: str
    address: str
    leader: int
    id: str

    def run(
        self,
        *argv: str,
        input: bytes | None = None,  # noqa: A002  # the name subprocess has for it
        check: bool = True,
        timeout_s: float = LIMIT_S,
        user: str | None = None,
        cwd: str = "/",
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a command in a fresh environment; text that is no UTF-8 shows as `\\xNN`.

        Errors: CommandFailedError when it exits other than 0 (unless `check` is off) or takes
        longer than `timeout_s`, after which it is dead.
        """
        done = self._call(argv, input, timeout_s, user, cwd, env or {})
        if check and done.returncode:
            raise CommandFailedError(_failure_text(argv, done))
        return done

    def reconcile(
        self,
        *arguments: str,
        check: bool = False,
        cwd: str = "/etc/reconcile",
        env: Mapping[str, str] | None = None,
        timeout_s: float = LIMIT_S,
    ) -> Completed:
        """Run the installed `reconcile`; its exit code is the caller's to judge.

        After an apply that succeeded, the next plan has to be empty.
        """
        done = self._reconcile(arguments, check, cwd, env, timeout_s)
        if planning := plan_after(arguments, done.returncode):
            left = self._reconcile(planning, False, cwd, env, timeout_s)
            assert 0 == left.returncode, left.stdout + left.stderr
        return done

    def _reconcile(
        self,
        arguments: Sequence[str],
        check: bool,
        cwd: str,
        env: Mapping[str, str] | None,
        timeout_s: float,
    ) -> Completed:
        command = ("/usr/local/bin/reconcile", *arguments)
        return self.run(*command, check=check, cwd=cwd, env=env, timeout_s=timeout_s)

    def write(
        self,
        path: str,
        content: str | bytes,
        *,
        mode: str = "0644",
        user: str = "root",
        group: str | None = None,
    ) -> None:
        """Put a new file in place, missing parents included (root's, 0755)."""
        data = content.encode() if isinstance(content, str) else content
        owner = ("-o", user, "-g", group or user)
        self.run("install", "-D", "-T", "-m", mode, *owner, "/dev/stdin", path, input=data)

    def read(self, path: str) -> bytes:
        """The bytes of a file."""
        done = self._raw(("cat", "--", path), None, 60, None, "/", {})
        if done.returncode:
            raise CommandFailedError(done.stderr.decode(errors="backslashreplace"))
        return done.stdout

    def exists(self, path: str) -> bool:
        """Whether anything has that name, a dangling link included."""
        script = 'test -e "$1" || test -L "$1"'
        return self.run("sh", "-c", script, "sh", path, check=False).returncode == 0

    def put_tree(self, local_dir: Path, host_path: str) -> None:
        """Copy a folder of this machine; everything becomes root's, modes stay."""
        self.run("mkdir", "-p", host_path)
        self.run("tar", "-x", "--no-same-owner", "-C", host_path, input=_packed(local_dir))

    def http(
        self,
        method: str,
        path: str,
        *,
        host: str = "example.com",
        address: str = "127.0.0.1",
        port: int = 80,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float = 60,
    ) -> http.Response:
        """One request over a fresh connection made inside the host's network; follows nothing."""
        connection = http.connect(f"/proc/{self.leader}/ns/net", address, port, timeout_s)
        with connection:
            named = {"Host": host, **(headers or {})}
            return http.exchange(connection, method, path, named, body)

    def manifest(
        self,
        *roots: str,
        exclude: Sequence[str] = (),
        units: Sequence[str] = manifest.UNITS,
        mtimes: bool = False,
    ) -> manifest.Manifest:
        """What is on the host below `roots`, and how `units` are, by a reader of its own."""
        asked = manifest.request(roots or manifest.ROOTS, exclude, units, mtimes)
        return manifest.parsed(self.run("/usr/bin/python3", "-I", "-", input=asked).stdout)

    @cached_property
    def testinfra(self) -> testinfra.host.Host:
        """pytest-testinfra, its commands run as root on this host."""
        from tests.lab.outside_reader import testinfra_host

        return testinfra_host(self)

    def _call(
        self,
        argv: Sequence[str],
        data: bytes | None,
        timeout_s: float,
        user: str | None,
        cwd: str,
        env: Mapping[str, str],
    ) -> Completed:
        done = self._raw(argv, data, timeout_s, user, cwd, env)
        out, err = (text.decode(errors="backslashreplace") for text in (done.stdout, done.stderr))
        return Completed(list(argv), done.returncode, out, err)

    def _raw(
        self,
        argv: Sequence[str],
        data: bytes | None,
        timeout_s: float,
        user: str | None,
        cwd: str,
        env: Mapping[str, str],
    ) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            [*entering(self.leader), *bounded(argv, timeout_s, user, cwd, env)],
            input=data or b"",
            capture_output=True,
            env={"PATH": SAFE_PATH},
        )
        if done.returncode in (KILLED, -9):
            raise CommandFailedError(f"{' '.join(argv)}: killed (after {timeout_s} s at most)")
        return done


def bounded(
    argv: Sequence[str], timeout_s: float, user: str | None, cwd: str, env: Mapping[str, str]
) -> list[str]:
    """`argv` as `user`, with `env` alone; killed inside, or nsenter's death would let it run on."""
    limit = ["timeout", "--signal=KILL", str(timeout_s)]
    become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
    settings = [f"{key}={value}" for key, value in {**ENVIRONMENT, **env}.items()]
    return [*limit, *become, "env", "--ignore-environment", f"--chdir={cwd}", *settings, *argv]


def entering(leader: int) -> list[str]:
    """The command that runs another inside the host whose systemd is `leader`."""
    return ["nsenter", "--target", str(leader), "--all", "--root"]


def _failure_text(argv: Sequence[str], done: Completed) -> str:
    output = (done.stdout + done.stderr)[-SHOWN_CHARACTERS:]
    return f"{' '.join(argv)} exited {done.returncode}\n{output}"


def _packed(folder: Path) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(folder, arcname=".", filter=_unless_bytecode)
    return packed.getvalue()


def _unless_bytecode(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in member.name else member
