"""Which files of a folder are code.

What a running app writes beside its code must never restart it: caches, logs, databases and
sockets are left out by name.
"""

from __future__ import annotations

import re
from posixpath import basename, dirname

from reconcile.dataclass import dataclass
from reconcile.filesystem.path import is_helper_name, is_inside, relative_to

_NAMES = frozenset(
    {
        *("__pycache__", ".git", ".hg", ".svn", ".cache", ".pytest_cache", ".mypy_cache"),
        *(".ruff_cache", ".tox", ".nox", ".hypothesis", ".coverage", "htmlcov", ".idea"),
        *(".vscode", ".DS_Store", "node_modules", "nohup.out"),
    }
)
_PATTERNS = (
    r"(?is).*\.(?:py[co]|sqlite.*|db|db-\w+|rdb|pid|sock|sw[op]|te?mp)|.*~|\.\#.*"
    r"|celerybeat-schedule.*|.*\.log(?:[.-]\d[\d.-]*)?(?:\.(?:gz|bz2|xz|zst))?"
)
DATA_FOLDERS = frozenset({"cache", "caches", "log", "logs", "releases", "tmp"})
"""Left out unless they are a Python package."""

MANIFEST = ".json"


@dataclass(frozen=True)
class CodeScope:
    """A code folder, absolute paths that are left out, and virtual environments.

    Of `assets`, folders of files that visitors get, the process itself reads manifests alone.
    """

    folder: str
    excluded: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()

    def counts(self, path: str) -> bool:
        """Whether a path below the folder is code, by its names alone."""
        below = relative_to(path, self.folder)
        if below is None or any(is_inside(path, excluded) for excluded in self.excluded):
            return False
        *folders, _ = names = below.split("/")
        if any(map(is_ignored, names)) or DATA_FOLDERS.intersection(folders):
            return False
        return path.endswith(MANIFEST) or not any(is_inside(path, one) for one in self.assets)


def is_ignored(name: str) -> bool:
    """Whether a name is never that of code."""
    return name in _NAMES or re.fullmatch(_PATTERNS, name) is not None or is_helper_name(name)


def environment_of(program: str) -> tuple[str, ...]:
    """The virtual environment that a program may lie in: `/x` of `/x/bin/python`."""
    folder = dirname(program)
    return (dirname(folder),) if basename(folder) == "bin" and folder.count("/") > 1 else ()
