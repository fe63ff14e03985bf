"""Have an app imported where it can do no harm, and take down what it says of itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from posixpath import basename, dirname
from typing import TYPE_CHECKING, Literal

from reconcile.doctor.application.facts import AppFacts, Garbled, app_facts
from reconcile.host.confined import Ended, run_confined

if TYPE_CHECKING:
    from reconcile.host import Host
    from reconcile.host.accounts import Account

TIMEOUT_S = 10.0
_FOLDERS = (".venv", "venv", "env")
_SECRET = ("SECRET", "PASSW", "TOKEN", "KEY", "DSN", "URL", "URI", "CREDENTIAL")


@dataclass(frozen=True)
class Question:
    """Which code to import: Flask's `module:app`, or Django's settings."""

    framework: Literal["flask", "django"]
    directory: str
    name: str
    python: str
    place: str


@dataclass(frozen=True)
class NotImported:
    """Why the app could not be asked; `at` is the line of its own code, "" where none is known."""

    why: str
    at: str = ""


def ask_app(
    question: Question,
    account: Account,
    environment: Mapping[str, str],
    *,
    timeout_s: float = TIMEOUT_S,
) -> AppFacts | NotImported:
    """Import the app as `account`, confined, with the environment of its service.

    Errors: NotConfined where this host gives no place to do it in.
    """
    wanted = {
        "framework": question.framework,
        "directory": question.directory,
        "name": question.name,
    }
    argv = (question.python, "-B", "-c", _inspector(), json.dumps(wanted))
    ended = run_confined(
        argv,
        account,
        directory=question.directory,
        environment=environment,
        timeout_s=timeout_s,
    )
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
    """Links are the usual form of a venv's Python; which one it is decides who runs it, not we."""
    return host.files.stat(path) is not None


@cache
def _inspector() -> str:
    from importlib.resources import files

    return (files("reconcile.doctor.application") / "inspector.py").read_text()


def _understood(
    ended: Ended, environment: Mapping[str, str], timeout_s: float
) -> AppFacts | NotImported:
    if ended.how == "timeout":
        return NotImported(f"its import did not come to an end within {timeout_s:g} s")
    if ended.how == "not started":
        return NotImported(ended.why)
    try:
        answer = json.loads(ended.said)
        if "error" in answer:
            why = _without_secrets(str(answer["error"]), environment)
            return NotImported(why, str(answer.get("place", "")))
        return app_facts(answer["told"])
    except (ValueError, TypeError, KeyError, RecursionError, Garbled):
        return NotImported(f"its import ended the process ({ended.how} {ended.code})")


def _without_secrets(text: str, environment: Mapping[str, str]) -> str:
    """An error may quote what the service was given in confidence."""
    for name, value in environment.items():
        if len(value) > 3 and any(word in name.upper() for word in _SECRET):
            text = text.replace(value, "(sensitive)")
    return text
