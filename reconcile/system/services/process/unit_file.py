"""Parses the part of systemd's unit files that the process manager supports."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import field

from reconcile.dataclass import dataclass
from reconcile.errors import ReconcileError

_ESCAPES = re.compile(r"%[%t]|\$\$")


@dataclass(frozen=True)
class Program:
    """The program of a unit and its execution environment; `user` None is the current user.

    Variables of `environment_files` win over `environment`; a name that begins with `-` is that
    of a file that may be absent.
    """

    command: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()
    directory: str = "/"
    environment: Mapping[str, str] = field(default_factory=dict)
    environment_files: tuple[str, ...] = ()
    umask: int = 0o022
    user: str | None = None
    group: str | None = None
    runtime_directory: str | None = None
    notifies: bool = False


def parse(unit: str, text: str, *, runtime_root: str) -> Program:
    """Parse a service unit; settings that `Program` does not have are ignored.

    `runtime_root` replaces `%t`. Errors: ReconcileError where it has no ExecStart=.
    Source: systemd.service(5), systemd.exec(5).
    """
    settings = _service_settings(text)

    def last(name: str) -> str | None:
        """The last value of a setting."""
        found = settings.get(name)
        return _literal(found[-1], runtime_root) if found and found[-1] else None

    if not settings.get("ExecStart"):
        raise ReconcileError(
            what=f"{unit} has no command to run",
            why="its file has no ExecStart= in a [Service] section",
            fix="Declare app.gunicorn in the YAML, or remove app.service.",
        )
    return Program(
        command=_words(settings["ExecStart"][-1], runtime_root),
        before=tuple(_words(line, runtime_root) for line in settings.get("ExecStartPre", ())),
        directory=last("WorkingDirectory") or "/",
        environment=dict(
            word.split("=", 1)
            for line in settings.get("Environment", ())
            for word in _words(line, runtime_root)
        ),
        environment_files=tuple(
            _literal(path, runtime_root) for path in settings.get("EnvironmentFile", ()) if path
        ),
        umask=int(last("UMask") or "022", 8),
        user=last("User"),
        group=last("Group"),
        runtime_directory=last("RuntimeDirectory"),
        notifies=last("Type") == "notify",
    )


def environment_files(text: bytes) -> tuple[str, ...]:
    """The paths of the environment files of a unit file."""
    found = _service_settings(text.decode("utf-8", "surrogateescape")).get("EnvironmentFile", ())
    return tuple(path.removeprefix("-").replace("%%", "%") for path in found if path)


def _service_settings(text: str) -> dict[str, list[str]]:
    """Name → values of the [Service] section, in the order of the file."""
    section = ""
    settings: dict[str, list[str]] = {}
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and line[0] not in "#;":
            name, _, value = line.partition("=")
            settings.setdefault(name.strip(), []).append(value.strip())
    return settings


def _words(line: str, runtime_root: str) -> tuple[str, ...]:
    return tuple(_literal(word, runtime_root) for word in shlex.split(line))


def _literal(text: str, runtime_root: str) -> str:
    meanings = {"%%": "%", "$$": "$", "%t": runtime_root}
    return _ESCAPES.sub(lambda match: meanings[match.group()], text)
