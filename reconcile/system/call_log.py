"""Logs each call of the parts of a host; -v enables it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sized
from functools import wraps
from inspect import signature
from time import perf_counter
from typing import Any, TypeVar, cast

Part = TypeVar("Part")

LOGGER = logging.getLogger("reconcile")
"""INFO for effects, DEBUG for other calls; `record.call` has the fields of a line."""

EFFECTS = frozenset(
    {
        *("files.write", "files.symlink", "files.unlink", "files.mkdir", "files.rmdir"),
        *("files.set_permissions", "files.fix_permissions", "files.sync", "files.remove_synced"),
        *("files.fill_release", "files.seal_release", "files.remove_release"),
        *("services.start", "services.stop", "services.restart", "services.reload"),
        *("services.enable", "services.disable", "services.daemon_reload", "services.forget"),
        *(
            "services.remember_start",
            "state.write",
            "state.log",
            "state.make_directory",
            "state.remove",
        ),
        "state.remove_temporaries",
    }
)
COMPUTED = frozenset({"files.manifest", "services.unit_path", "state.path_of"})
"""Methods that neither read nor change the host."""
_EVENTS = {"commands": "command", "http": "request"}
# Others may be secret: contents, headers, bodies, environments.
LOGGED_ARGUMENTS = frozenset(
    {
        *("path", "root", "pattern", "target", "unit", "units", "name", "folder", "program"),
        *("argv", "uid", "gid", "mode", "method", "order", "status"),
    }
)
# The attributes that are logged of an argument or a result that is an object.
LOGGED_ATTRIBUTES = (
    *("unit", "authority", "root", "source", "returncode", "kind", "size", "state"),
    *("status", "error"),
)
_USER_INFO = re.compile(r"(?<=://)[^/@\s]*@")
_QUERY = re.compile(r"\?.*", re.DOTALL)
_VARIABLE = re.compile(r"((?:--setenv=|--property=Environment=)?\w+=).*", re.DOTALL)


def log_calls(name: str, part: Part) -> Part:
    """A proxy of `part`, the part of a host with that name, which logs each method call."""
    return cast(Part, _LoggedPart(name, part))


class _LoggedPart:
    def __init__(self, name: str, part: Any) -> None:
        self._name, self._part = name, part
        self._known: set[object] = set()

    def __getattr__(self, attribute: str) -> Any:
        name, value = f"{self._name}.{attribute}", getattr(self._part, attribute)
        if not callable(value) or name in COMPUTED:
            return value
        return self._once(name, value) if self._name == "accounts" else _logged(name, value)

    def _once(self, name: str, lookup: Callable[..., Any]) -> Callable[..., Any]:
        """Accounts are cached: only the first lookup of each reads anything."""

        def call(*key: object) -> Any:
            """Look up `key`; logs the first time."""
            if (name, key) in self._known:
                return lookup(*key)
            self._known.add((name, key))
            return _logged(name, lookup)(*key)

        return call


def _logged(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(*positional: Any, **named: Any) -> Any:
        """Call the method, then log it with its duration."""
        given = signature(method).bind(*positional, **named).arguments
        arguments = {
            key: _argument_text(key, given[key]) for key in given if key in LOGGED_ARGUMENTS
        }
        if name == "http.request":
            arguments["path"] = _QUERY.sub("?…", arguments["path"])
        started = perf_counter()
        try:
            result = method(*positional, **named)
        except BaseException as error:
            _log(name, arguments, _elapsed_ms(started), error=_error_text(error))
            raise
        _log(name, arguments, _elapsed_ms(started), outcome=_outcome(result))
        return result

    return call


def _log(
    name: str,
    arguments: Mapping[str, str],
    elapsed_ms: float,
    *,
    outcome: str = "",
    error: str = "",
) -> None:
    event = "effect" if name in EFFECTS else _EVENTS.get(name.partition(".")[0], "reading")
    outcome = "done" if event == "effect" and outcome == "none" else outcome
    fields = {
        "event": event,
        "call": name,
        "arguments": arguments,
        "outcome": "failed" if error else outcome,
        "error": error,
        "elapsed_ms": elapsed_ms,
    }
    level = logging.INFO if event == "effect" else logging.DEBUG
    ending = f"failed: {error}" if error else outcome
    words = (f"{event:7}", name, *arguments.values(), "->", ending, f"({elapsed_ms:g} ms)")
    LOGGER.log(level, "%s", " ".join(filter(None, words)), extra={"call": fields})


def _elapsed_ms(started: float) -> float:
    return round((perf_counter() - started) * 1000, 1)


def _argument_text(key: str, value: Any) -> str:
    if key == "mode":
        return f"{value:04o}"
    if key in ("uid", "gid"):
        return f"{key}={value}"
    if isinstance(value, (list, tuple)):
        return " ".join(_without_secrets(str(part)) for part in value)
    return _without_secrets(value) if isinstance(value, str) else _attributes(value)


def _error_text(error: BaseException) -> str:
    """One line, without the output of a program, which could hold anything."""
    what = getattr(error, "what", "") or getattr(error, "strerror", "")
    return f"{type(error).__name__}: {_without_secrets(what)}" if what else type(error).__name__


def _outcome(result: Any) -> str:
    """A result by its kind and size, never its content: that may be a file's."""
    if result is None:
        return "none"
    if isinstance(result, bool):
        return "yes" if result else "no"
    if isinstance(result, int):
        return str(result)
    if isinstance(result, (bytes, str)):
        return f"{len(result)} {'bytes' if isinstance(result, bytes) else 'characters'}"
    if isinstance(result, tuple) and len(result) == 2:
        return ", ".join(map(_outcome, result))
    if isinstance(result, Sized):
        return f"{len(result)} {'entry' if len(result) == 1 else 'entries'}"
    return _attributes(result)


def _attributes(value: Any) -> str:
    found = ((name, getattr(value, name, None)) for name in LOGGED_ATTRIBUTES)
    shown = " ".join(f"{name}={what}" for name, what in found if what not in (None, ""))
    return shown or type(value).__name__


def _without_secrets(text: str) -> str:
    """`text` without the value of a variable, and without user, password and query of a URL."""
    text = _VARIABLE.sub(r"\1…", text) if _VARIABLE.fullmatch(text) else text
    return _QUERY.sub("?…", _USER_INFO.sub("…@", text)) if "://" in text else text
