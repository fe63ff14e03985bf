"""Import an app in a sandbox, and read the settings that it reports."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from posixpath import basename, dirname
from typing import TYPE_CHECKING, Any

from reconcile.doctor.app_introspection.app_facts import AppFacts, InvalidAnswer, app_facts
from reconcile.filesystem.host_error import HostError
from reconcile.system.sandbox import (
    MAX_MEMORY_BYTES,
    MAX_OUTPUT_BYTES,
    NoSandbox,
    SandboxResult,
    run_sandboxed,
)

if TYPE_CHECKING:
    from reconcile.doctor.config_view import DeclaredCode
    from reconcile.system import Host
    from reconcile.system.accounts import Account

TIMEOUT_S = 10.0
_FOLDERS = (".venv", "venv", "env")
_SECRET = ("SECRET", "PASSW", "TOKEN", "KEY", "DSN", "URL", "URI", "CREDENTIAL")


@dataclass(frozen=True)
class NotImported:
    """Why the app's settings are unknown; `at` is the line of its own code, "" where unknown.

    `is_certain`: the app itself failed. Otherwise it could not be imported here, or exceeded the
    limits of the sandbox, which proves no fault of the app.
    """

    why: str
    at: str = ""
    is_certain: bool = True


def ask_app(
    host: Host, code: DeclaredCode, python: str, account: Account, environment: Mapping[str, str]
) -> AppFacts | NotImported:
    """Import the app as `account` in a sandbox, with the environment of its service."""
    wanted = {"framework": code.framework, "directory": code.directory, "name": code.name}
    try:
        result = run_sandboxed(
            host.commands,
            python,
            ("-B", "-c", _inspector_source(), json.dumps(wanted)),
            account,
            directory=code.directory,
            environment=environment,
            timeout_s=TIMEOUT_S,
        )
    except NoSandbox as error:
        return NotImported(f"{error.what}: {error.why}", is_certain=False)
    return _interpreted(result, environment)


def interpreter(host: Host, directory: str, command: str) -> str:
    """The app's Python: that of the service's command, else of a venv beside it, else the system's.

    "" where none exists.
    """
    return next((path for path in _candidates(directory, command) if _can_be_run(host, path)), "")


def _candidates(directory: str, command: str) -> Iterator[str]:
    program = command.split(" ", 1)[0]
    if program.startswith("/"):
        yield program if basename(program).startswith("python") else f"{dirname(program)}/python"
    for top in (directory, dirname(directory)):
        yield from (f"{top}/{name}/bin/python" for name in _FOLDERS)
    yield "/usr/bin/python3"


def _can_be_run(host: Host, path: str) -> bool:
    """Whether it exists, be it a link that others may change: it runs as the app's user."""
    try:
        return host.files.stat(path) is not None
    except HostError as refused:
        if refused.errno != errno.ELOOP:
            raise
        return True


@cache
def _inspector_source() -> str:
    return (files("reconcile.doctor.app_introspection") / "app_inspector.py").read_text()


_LIMITS = (errno.EAGAIN, errno.ENOMEM, errno.ENOSPC, errno.EFBIG, errno.EMFILE)
_UNCERTAIN = {
    "killed": "its import crashed, or exceeded its memory limit"
    f" ({MAX_MEMORY_BYTES >> 20} MiB at most)",
    "timeout": f"its import did not end within {TIMEOUT_S:g} s",
    "too much output": f"its output exceeds {MAX_OUTPUT_BYTES >> 10} KiB",
}


def _interpreted(result: SandboxResult, environment: Mapping[str, str]) -> AppFacts | NotImported:
    facts, failed = _parse_output(result.output)
    if facts is not None:
        return facts
    if result.outcome in _UNCERTAIN:
        return NotImported(_UNCERTAIN[result.outcome], is_certain=False)
    if result.outcome == "not started":
        return NotImported(result.reason)
    if failed is None:
        return NotImported(f"its import ended the process (exit status {result.exit_code})")
    return replace(failed, why=_without_secrets(failed.why, environment))


def _parse_output(output: str) -> tuple[AppFacts | None, NotImported | None]:
    """The last facts and the last error of the output; other lines are ignored."""
    facts, failed = None, None
    for line in output.splitlines():
        try:
            answer = json.loads(line)
            if "error" in answer:
                failed = _failure(answer)
            else:
                facts = app_facts(answer["facts"])
        except (ValueError, TypeError, KeyError, RecursionError, InvalidAnswer):
            continue
    return facts, failed


def _failure(answer: Mapping[str, Any]) -> NotImported:
    is_limit = answer.get("errno") in _LIMITS
    why = f"{answer['error']}, in a sandbox" if is_limit else str(answer["error"])
    return NotImported(why, str(answer.get("place", "")), is_certain=not is_limit)


def _without_secrets(text: str, environment: Mapping[str, str]) -> str:
    """`text` without the secret values of the environment, which an error may quote."""
    for name, value in environment.items():
        if len(value) > 3 and any(word in name.upper() for word in _SECRET):
            text = text.replace(value, "(sensitive)")
    return text
