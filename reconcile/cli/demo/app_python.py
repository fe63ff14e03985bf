"""The Python that runs the demo's app: reconcile's own, or the system's."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

from reconcile.dataclass import dataclass

SYSTEM_PYTHON = "/usr/bin/python3"
_PRINT_GUNICORN = "import flask, gunicorn; print(gunicorn.__file__)"


@dataclass(frozen=True)
class AppPython:
    """An interpreter that can import Flask and Gunicorn, and where Gunicorn is."""

    path: str
    gunicorn: str


def find_app_python() -> AppPython | None:
    """The first of the two that can run the app; a Debian package brings neither library."""
    flask, gunicorn = find_spec("flask"), find_spec("gunicorn")
    if flask is not None and gunicorn is not None and gunicorn.origin is not None:
        return AppPython(sys.executable, gunicorn.origin)
    return _ask_system_python()


def _ask_system_python() -> AppPython | None:
    command = [SYSTEM_PYTHON, "-I", "-c", _PRINT_GUNICORN]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return AppPython(SYSTEM_PYTHON, done.stdout.strip())
