"""The units of this host with their users and sandboxes, read in one call."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from posixpath import normpath
from typing import TYPE_CHECKING

from reconcile.system.services.process.unit_file import parse
from reconcile.system.services.systemctl import show

if TYPE_CHECKING:
    from reconcile.system import Host

_PROPERTIES = (
    *("Id", "ActiveState", "MainPID", "User", "Group", "SupplementaryGroups", "DynamicUser"),
    *("ExecStart", "ExecStartPre", "WorkingDirectory", "Environment", "Triggers", "Listen"),
    *("ProtectSystem", "ProtectHome", "PrivateTmp", "ReadWritePaths", "ReadOnlyPaths"),
    *("InaccessiblePaths", "RootDirectory", "RootImage", "BindPaths", "TemporaryFileSystem"),
    *("BindReadOnlyPaths", "DropInPaths"),
    *("StateDirectory", "RuntimeDirectory", "CacheDirectory", "LogsDirectory", "FragmentPath"),
    *("InvocationID", "EnvironmentFiles"),
)
_ARGV = re.compile(r"argv\[\]=(.*?) ;")
_PREFIX_MARKS = re.compile(r"^[-+!:@|]*")


@dataclass(frozen=True)
class UnitView:
    """One unit; `properties` are its properties in systemd's words."""

    name: str
    properties: Mapping[str, str] = field(default_factory=dict)

    def words(self, name: str) -> tuple[str, ...]:
        """The words of a list property, without the marks that may stand before them."""
        return tuple(_PREFIX_MARKS.sub("", word) for word in self.properties.get(name, "").split())

    @property
    def user(self) -> str:
        """The user it runs as."""
        return self.properties.get("User") or "root"

    @property
    def group(self) -> str:
        """Its Group=; "" for the user's primary group."""
        return self.properties.get("Group", "")

    @property
    def main_pid(self) -> int:
        """The pid of its main process; 0 where none runs."""
        return int(self.properties.get("MainPID") or 0)

    @property
    def active(self) -> bool:
        """Whether it runs, or is about to."""
        return self.properties.get("ActiveState") in ("active", "reloading", "activating")

    @property
    def working_directory(self) -> str:
        """Its WorkingDirectory=; "" where it has none."""
        return self.properties.get("WorkingDirectory", "").lstrip("!-")

    @property
    def command(self) -> str:
        """Everything that it runs, as one text."""
        written = (
            f"{self.properties.get('ExecStart', '')} {self.properties.get('ExecStartPre', '')}"
        )
        return " ; ".join(_ARGV.findall(written)) or written.strip()

    def binds(self, address: str) -> bool:
        """Whether its command has that address, or a socket path relative to its directory."""
        start = self.working_directory.rstrip("/") + "/"
        beside = address.removeprefix(start) if start != "/" else address
        names = re.findall(r"unix:(?://)?([^/\s]\S*)", self.command)
        return address in self.command or beside in map(normpath, names)

    @property
    def environment(self) -> dict[str, str]:
        """Environment= as written; for EnvironmentFile= see `environment_files`."""
        return parse_assignments(self.properties.get("Environment", ""))

    @property
    def environment_files(self) -> tuple[str, ...]:
        """The files of EnvironmentFile=, in their order; the last that sets a variable wins."""
        lines = self.properties.get("EnvironmentFiles", "").splitlines()
        return tuple(line.rpartition(" (")[0] for line in lines if line.startswith("/"))

    def is_on(self, name: str) -> bool:
        """Whether a property that is yes or no is yes."""
        return self.properties.get(name) in ("yes", "true", "1")


def parse_assignments(text: str) -> dict[str, str]:
    """The variables that words of a unit or of an environment file set.

    Source: systemd.exec(5), EnvironmentFile=: quoted as in a shell, comments from `#` or `;`.
    """
    lines = (line.strip() for line in text.replace("\\\n", "").splitlines())
    found: dict[str, str] = {}
    for line in lines:
        with suppress(ValueError):
            words = shlex.split(line) if line[:1] not in ("#", ";") else []
            pairs = (word.partition("=") for word in words)
            found.update((name, value) for name, sign, value in pairs if sign)
    return found


def read_units(host: Host) -> dict[str, UnitView]:
    """Every loaded service and socket, by name; none where no service manager runs.

    Errors: ReconcileError where the manager does not answer.
    """
    manager = host.settings.service_manager
    if _is_booted(host):
        return {unit.name: unit for unit in _systemd_units(host, "*.service", "*.socket")}
    if manager == "process":
        return {unit.name: unit for unit in _process_units(host)}
    return {}


def read_unit(host: Host, name: str) -> UnitView | None:
    """One service by its name, loaded or not; None where it does not exist.

    Errors: ReconcileError where the manager does not answer.
    """
    if not _is_booted(host):
        return read_units(host).get(name)
    return next(
        (unit for unit in _systemd_units(host, name) if unit.properties.get("FragmentPath")), None
    )


def _is_booted(host: Host) -> bool:
    """Whether systemd manages services here, which it does not in most containers.

    Source: sd_booted(3).
    """
    is_asked = host.settings.service_manager == "systemd"
    return is_asked and host.files.stat("/run/systemd/system") is not None


def _systemd_units(host: Host, *names: str) -> Iterator[UnitView]:
    shown = show(host.commands, _PROPERTIES, names)
    return (UnitView(properties["Id"], properties) for properties in shown if "Id" in properties)


def _process_units(host: Host) -> Iterator[UnitView]:
    folder = f"{host.settings.state_dir}/units"
    if host.files.stat(folder) is None:
        return
    for name in host.files.listdir(folder):
        if name.endswith(".service"):
            text = host.files.read(f"{folder}/{name}").decode("utf-8", "surrogateescape")
            program = parse(name, text, runtime_root=f"{host.settings.state_dir}/run")
            status = host.services.status(name)
            properties = {
                "Id": name,
                "ActiveState": "active" if status.active else "inactive",
                "MainPID": str(status.main_pid),
                "User": program.user or host.accounts.current.name,
                "Group": program.group or "",
                "ExecStart": shlex.join(program.command),
                "WorkingDirectory": program.directory,
                "EnvironmentFiles": "\n".join(f"{one} (" for one in status.environment_files),
                "FragmentPath": f"{folder}/{name}",
            }
            yield UnitView(name, properties)
