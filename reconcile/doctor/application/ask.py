"""Have an app imported where it can do no harm, and take down what it says of itself."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from posixpath import basename, dirname
from typing import TYPE_CHECKING

from reconcile.doctor.application.facts import AppFacts, Garbled, app_facts
from reconcile.filesystem.errors import HostError
from reconcile.system.confined import Ended, NotConfined, run_confined

if TYPE_CHECKING:
    from reconcile.doctor.config_view import DeclaredCode
    from reconcile.system import Host
    from reconcile.system.accounts import Account

TIMEOUT_S = 10.0
_FOLDERS = (".venv", "venv", "env")
_SECRET = ("SECRET", "PASSW", "TOKEN", "KEY", "DSN", "URL", "URI", "CREDENTIAL")


@dataclass(frozen=True)
class NotImported:
    """Why the app could not be asked; `at` is the line of its own code, "" where none is known.

    `tried` is False where this host gives no place to try it in.
    """

    why: str
    at: str = ""
    tried: bool = True


def ask_app(
    code: DeclaredCode,
    python: str,
    account: Account,
    environment: Mapping[str, str],
    *,
    timeout_s: float = TIMEOUT_S,
) -> AppFacts | NotImported:
    """Import the app as `account`, confined, with the environment of its service."""
    wanted = {"framework": code.framework, "directory": code.directory, "name": code.name}
    argv = (python, "-B", "-c", _inspector(), json.dumps(wanted))
    try:
        ended = run_confined(
            argv,
            account,
            directory=code.directory,
            environment=environment,
            timeout_s=timeout_s,
        )
    except NotConfined as error:
        return NotImported(f"{error.what}: {error.why}", tried=False)
    return _understood(ended, environment, timeout_s)


def interpreter(host: Host, directory: str, command: str) -> str:
    """The app's Python: of the service's own command, else of a venv near by, else the system's."""
    return next((path for path in _candidates(directory, command) if _is_there(host, path)), "")


def _candidates(directory: str, command: str) -> Iterator[str]:
    program = command.split(" ", 1)[0]
    if program.startswith("/"):
        yield program if basename(program).startswith("python") else f"{dirname(program)}/python"
    for top in (directory, dirname(directory)):
        yield from (f"{top}/{name}/bin/python" for name in _FOLDERS)
    yield "/usr/bin/python3"


def _is_there(host: Host, path: str) -> bool:
    """A link that somebody else could turn will do: the app's own user runs it, confined."""
    try:
        return host.files.stat(path) is not None
    except HostError as refused:
        if refused.errno != errno.ELOOP:
            raise
        return True


@cache
def _inspector() -> str:
    from importlib.resources import files

    return (files("reconcile.doctor.application") / "inspector.py").read_text()


def _understood(
    ended: Ended, environment: Mapping[str, str], timeout_s: float
) -> AppFacts | NotImported:
    told, failed = _told(ended.said)
    if told is not None:
        return told
    if ended.how == "timeout":
        return NotImported(f"its import did not come to an end within {timeout_s:g} s")
    if ended.how == "not started":
        return NotImported(ended.why)
    if failed is None:
        return NotImported(f"its import ended the process ({ended.how} {ended.code})")
    return NotImported(_without_secrets(failed.why, environment), failed.at)


def _told(said: bytes) -> tuple[AppFacts | None, NotImported | None]:
    """The fullest of what it told, and what went wrong; of whatever else it said, nothing."""
    told, failed = None, None
    for line in said.splitlines():
        try:
            answer = json.loads(line)
            if "error" in answer:
                failed = NotImported(str(answer["error"]), str(answer.get("place", "")))
            else:
                told = app_facts(answer["told"])
        except (ValueError, TypeError, KeyError, RecursionError, Garbled):
            continue
    return told, failed


def _without_secrets(text: str, environment: Mapping[str, str]) -> str:
    """An error may quote what the service was given in confidence."""
    for name, value in environment.items():
        if len(value) > 3 and any(word in name.upper() for word in _SECRET):
            text = text.replace(value, "(sensitive)")
    return text
