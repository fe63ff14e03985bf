"""How an optional part is added to the program that runs, by the way it was installed."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from shlex import quote

DEBIAN_PACKAGE = "/usr/lib/reconcile"
"""Where the Debian package has its virtual environment."""


def how_to_add(extra: str) -> str:
    """The command that adds an extra of pyproject.toml, or why there is none and what to do."""
    wanted = f"'reconcile-host[{extra}]'"
    if _is_bundled():
        return (
            f"Neither the Debian package nor the single file has it. In a clone of the repository:"
            f" `python3 -m venv env && env/bin/pip install '.[{extra}]'`, then use"
            " env/bin/reconcile."
        )
    sudo = "" if os.access(sys.prefix, os.W_OK) else "sudo "
    python = quote(sys.executable)
    if find_spec("pip") is None:
        return f"{sudo}uv pip install --python {python} {wanted}"
    return f"{sudo}{python} -m pip install {wanted}"


def _is_bundled() -> bool:
    """Whether the program came as a whole, to which nothing is added."""
    is_environment = sys.prefix != sys.base_prefix
    return sys.prefix == DEBIAN_PACKAGE or not (is_environment or "/lib/python" in __file__)
