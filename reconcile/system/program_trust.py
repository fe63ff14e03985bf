"""Whether root alone can change a program that a unit runs as root, and all that it loads."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from os.path import dirname, isdir, join, realpath

from reconcile.dataclass import dataclass
from reconcile.errors import ReconcileError
from reconcile.filesystem.path import components, is_inside
from reconcile.filesystem.safe_path import MOST_SYMLINKS, OTHERS_WRITE, trusted_users
from reconcile.system.commands import Commands

_LOADED_FROM = "import sys; print(sys.prefix + '/pyvenv.cfg', *sys.path, sep='\\n')"


@dataclass(frozen=True)
class OpenPath:
    """A path that other users can change, and who may."""

    path: str
    owner: int
    mode: int

    @property
    def is_sticky(self) -> bool:
        """Whether everybody can add names there, but not replace each other's."""
        return bool(self.mode & stat.S_ISVTX)


def refuse_open_program(commands: Commands, program: Sequence[str]) -> None:
    """Refuse a unit that runs `program` where other users can change any part of it.

    `program` starts with its Python and ends with what that runs: an archive or a module.
    Errors: ReconcileError.
    """
    python, named = program[0], program[-1]
    checked = (python, named) if named.startswith("/") else (python,)
    _refuse_open(checked, checked)
    # Only now that nobody else can have written it, its Python is asked.
    asked = commands.run((python, "-I", "-c", _LOADED_FROM)).stdout.splitlines()
    _refuse_open([path for path in asked if path.startswith("/")], checked)


def _refuse_open(paths: Sequence[str], program: Sequence[str]) -> None:
    visited: set[str] = set()
    found = next((one for path in paths for one in open_parts(path, visited)), None)
    if found is None:
        return
    raise ReconcileError(
        f"{found.path} can be changed by other users",
        f"{_why_open(found)}, and a unit would run {program[-1]} from there as root",
        f"{_fix(found, program)} Nothing was changed.",
    )


def _why_open(found: OpenPath) -> str:
    if found.is_sticky:
        return "everybody can put files there once these are gone"
    return f"it belongs to user {found.owner} and has mode {stat.S_IMODE(found.mode):04o}"


def _fix(found: OpenPath, program: Sequence[str]) -> str:
    move = "Install reconcile where root alone can write, such as below /opt (docs/install.md)"
    installed = (dirname(dirname(program[0])), program[-1])
    if found.is_sticky or not any(is_inside(found.path, one) for one in installed):
        return f"{move}."
    recursive = " -R" if stat.S_ISDIR(found.mode) else ""
    close = f"chown{recursive} root:root {found.path} && chmod{recursive} go-w {found.path}"
    return f"{move}, or: {close}."


def open_parts(path: str, visited: set[str]) -> Iterator[OpenPath]:
    """Yield what others can change on the way to `path`, links followed, and all below it.

    Directories in `visited` are left out and those visited added.
    """
    yield from filter(None, map(_as_open, _steps(path)))
    folder = realpath(path)
    if folder in visited or not isdir(folder):
        return
    visited.add(folder)
    for below, folders, files in os.walk(folder):
        for name in (*folders, *files):
            inside = join(below, name)
            if os.path.islink(inside):
                yield from open_parts(inside, visited)
            elif found := _as_open(inside):
                yield found


def _steps(path: str) -> Iterator[str]:
    """`/`, and every directory and file on the way to `path`, without the links themselves."""
    names, at, links = components(path)[::-1], "/", 0
    yield at
    while names and links <= MOST_SYMLINKS:
        name = names.pop()
        step = dirname(at) if name == ".." else join(at, name)
        if os.path.islink(step):
            links += 1
            target = os.readlink(step)
            names.extend(components(target)[::-1])
            at = "/" if target.startswith("/") else at
        else:
            at = step
            yield at


def _as_open(path: str) -> OpenPath | None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        # A part of Python's path may be absent; who could add it can write the directory above.
        return None
    if found.st_uid in trusted_users() and not found.st_mode & OTHERS_WRITE:
        return None
    return OpenPath(path, found.st_uid, found.st_mode)
