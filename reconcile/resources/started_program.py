"""What a managed unit runs: its program, and Gunicorn where that is a virtual environment's."""

from __future__ import annotations

from collections.abc import Collection
from posixpath import basename, dirname
from typing import TYPE_CHECKING

from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.path import is_inside
from reconcile.system.services import ServiceFailed
from reconcile.system.services.process.unit_file import Program, environment_files, parse

if TYPE_CHECKING:
    from reconcile.filesystem.files import Files

_GUNICORN = ("-m", "gunicorn")
_LEADS_NOWHERE = frozenset({"distutils-precedence.pth", "_virtualenv.pth"})
"""Files of paths that pip and virtualenv write; they add no folder."""


class ProgramMissing(ServiceFailed):
    """A unit cannot be started, because what it runs is not there."""

    rule = "program-missing"


def refuse_missing_program(files: Files, unit: str, text: str, later: Collection[str]) -> None:
    """Refuse a service unit whose program is not there.

    `later` are folders that are filled only by the apply. What cannot be read is not refused.
    Errors: ProgramMissing.
    """
    program = parse(unit, text, runtime_root="/run")
    path = program.command[0]
    if any(is_inside(path, folder) for folder in later):
        return
    try:
        why, fix = _missing(files, program, text)
    except HostError:
        return
    if why:
        raise ProgramMissing(f"{unit} cannot be started", why, f"{fix} Nothing was changed.")


def _missing(files: Files, program: Program, text: str) -> tuple[str, str]:
    """What is missing and how to get it, both empty where nothing is."""
    path, runs_gunicorn = program.command[0], program.command[1:3] == _GUNICORN
    environment = dirname(dirname(path))
    install = f"{path} -m pip install gunicorn"
    if why := _why_not_runnable(files, path):
        if runs_gunicorn:
            made = f"`python3 -m venv {environment} && {install}`"
            return why, f"Make it, with the app's packages: {made}; or correct gunicorn.python."
        return why, "Install the program, or correct `command` in the YAML."
    if runs_gunicorn and _lacks_gunicorn(files, environment, program, text):
        why = f"Gunicorn is not installed in {environment}"
        return why, f"Install it: `{install}`; or correct gunicorn.python."
    return "", ""


def _why_not_runnable(files: Files, path: str) -> str:
    found = files.stat(path, follow=True)
    if found is None:
        if files.stat(path) is None:
            return f"{path} does not exist"
        return f"{path} leads to nothing: the Python that it was made with is gone"
    if found.kind != "file":
        return f"{path} is a {found.kind}"
    is_executable = found.mode & 0o111 or files.is_planned(path)
    return "" if is_executable else f"{path} is not executable"


def _lacks_gunicorn(files: Files, environment: str, program: Program, text: str) -> bool:
    """Whether nothing in the environment can be Gunicorn, and no other place is searched."""
    marker = files.content(f"{environment}/pyvenv.cfg")
    if marker is None or _has_system_packages(marker[1]) or _has_path(files, program, text):
        return False
    installed = [*map(basename, files.glob(f"{environment}/lib/python3*/site-packages/*"))]
    return bool(installed) and not any(
        name.startswith("gunicorn") or (name.endswith(".pth") and name not in _LEADS_NOWHERE)
        for name in installed
    )


def _has_system_packages(marker: bytes) -> bool:
    settings = (line.partition(b"=") for line in marker.splitlines())
    return any(
        name.strip() == b"include-system-site-packages" and value.strip().lower() == b"true"
        for name, _, value in settings
    )


def _has_path(files: Files, program: Program, text: str) -> bool:
    """Whether its environment may add places where Python searches."""
    found = (files.content(path) for path in environment_files(text.encode()))
    return "PYTHONPATH" in program.environment or any(
        file is not None and b"PYTHONPATH" in file[1] for file in found
    )
