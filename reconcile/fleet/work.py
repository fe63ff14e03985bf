"""What each command of a fleet asks of a host, and how its answer is read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Literal, NamedTuple

from reconcile.dataclass import dataclass
from reconcile.filesystem.host_error import explained
from reconcile.fleet.answer import HostAnswer, as_applied_before, read_answer
from reconcile.fleet.fleet_file import Fleet, Install
from reconcile.fleet.package import Package, Packer
from reconcile.fleet.script import (
    PLAN,
    PROGRAM,
    TAR,
    YAML,
    Call,
    InstalledProgram,
    Script,
    installed_deb,
    installed_file,
)
from reconcile.fleet.sent_files import SentFiles
from reconcile.fleet.target import Target

Command = Literal["plan", "apply", "drift", "verify", "doctor", "status"]
CALLS: Mapping[Command, Call] = {
    "plan": Call(("plan", "--out", f"@{PLAN}", "--json-into", "@document"), ("document", PLAN)),
    "apply": Call(("apply", f"@{PLAN}", "--json"), asks_history=True),
    "drift": Call(("drift", "--json")),
    "verify": Call(("verify", "--json")),
    "doctor": Call(("doctor", "--json")),
    "status": Call(("history", "--json")),
}


class Job(NamedTuple):
    """What is asked of one host: the files that it is given, and the script that is run then."""

    name: str
    command: Command
    files: Mapping[str, str | bytes]
    """Name → path, or content."""
    script: Script
    program: str | None
    """The path of what brings reconcile, for hosts that do not have it."""
    require: str | None
    is_repeated: bool = False
    """Whether the host may have been asked before: the controller was interrupted."""

    @property
    def timeout_s(self) -> int:
        """The longest that the work may take."""
        return self.script.timeout_s

    @property
    def may_install(self) -> bool:
        """Whether what is installed on the host matters."""
        return self.program is not None

    def for_host(self, installed: str) -> tuple[str, SentFiles]:
        """The script, and the files that it gets, for a host with that installation."""
        if self.program is None or installed == self.script.program.digest:
            return self.script.text(installs=False), SentFiles.of(self.files)
        files = {**self.files, PROGRAM: self.program}
        return self.script.text(installs=True), SentFiles.of(files)

    def read(self, parts: Mapping[str, str]) -> HostAnswer:
        """The answer, by the parts of the script's output."""
        version = parts.get("version", "").strip().removeprefix("reconcile ")
        if self.require is not None and "code" in parts and not is_at_least(version, self.require):
            why = f"reconcile {self.require} is required there; {version or 'none'} is installed"
            return HostAnswer("error", 1, problem=why)
        answer = read_answer(self.command, parts)
        plan = self.files.get(PLAN)
        if self.is_repeated and answer.state == "stale" and isinstance(plan, bytes):
            return as_applied_before(answer, parts.get("history", ""), plan)
        return answer


@dataclass(frozen=True)
class Work:
    """Makes the jobs of a fleet's hosts."""

    fleet: Fleet
    packer: Packer

    def package(self, target: Target) -> Package:
        """What the host is given. Errors: ReconcileError."""
        return self.packer.pack(self.fleet.config_of(target.name), target.variables)

    def job(
        self,
        target: Target,
        command: Command,
        package: Package,
        *,
        saved_plan: bytes | None = None,
        is_repeated: bool = False,
    ) -> Job:
        """The job of a host; a repeated one waits for an apply that still runs there."""
        program, path = program_of(self.fleet.install)
        timeout_s = self.fleet.rollout.timeout
        call = CALLS[command]
        if command == "status":
            call = call._replace(readings=package.readings)
        if is_repeated:
            call = call._replace(arguments=(*call.arguments, "--lock-timeout", str(timeout_s)))
        files: dict[str, str | bytes] = {YAML: package.yaml}
        if package.tar is not None:
            files[TAR] = package.tar
        if saved_plan is not None:
            files[PLAN] = saved_plan
        require = self.fleet.install.require
        script = Script(
            program,
            call,
            package.tar is not None,
            timeout_s,
            target.uses_sudo,
            asks_version=require is not None,
        )
        return Job(target.name, command, files, script, path, require, is_repeated)


def program_of(install: Install) -> tuple[InstalledProgram, str | None]:
    """How reconcile is called, and the path of what brings it there. Errors: ReconcileError."""
    if install.deb is not None:
        return installed_deb(f"deb {_file_digest(install.deb)}"), install.deb
    if install.file is not None:
        return installed_file(f"file {_file_digest(install.file)}"), install.file
    return InstalledProgram((install.command or "reconcile",)), None


@cache
def _file_digest(path: str) -> str:
    with explained(f"{path} cannot be read"), open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_at_least(version: str, required: str) -> bool:
    """Whether a version is the required one or a newer one."""
    numbers = [part for part in version.split("+")[0].split(".")[:4] if part.isdecimal()]
    return [*map(int, numbers)] >= [*map(int, required.split("."))] if numbers else False
