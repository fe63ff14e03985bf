"""Real apps in a venv that other users may enter."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

PYTHON = "/usr/bin/python3"
PACKAGES = (
    *("flask", "werkzeug", "jinja2", "markupsafe", "click", "itsdangerous", "blinker"),
    *("django", "asgiref", "sqlparse", "whitenoise"),
)


def venv(folder: Path) -> Path:
    """A venv of the system's Python with Flask and Django; its interpreter."""
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", str(folder)], check=True)
    [packages] = folder.glob("lib/python3*/site-packages")
    for name in PACKAGES:
        found = importlib.util.find_spec(name)
        assert found is not None
        assert found.origin is not None
        shutil.copytree(Path(found.origin).parent, packages / name)
        _with_metadata(name, Path(found.origin).parent.parent, packages)
    return folder / "bin/python"


def _with_metadata(name: str, source: Path, target: Path) -> None:
    for info in source.glob(f"{name}-*.dist-info"):
        shutil.copytree(info, target / info.name)
