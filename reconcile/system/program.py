"""How a unit runs this program again."""

from __future__ import annotations

import os
import sys
from zipimport import zipimporter


def own_program() -> tuple[str, ...]:
    """The start of a command line that runs this installation of reconcile.

    Isolated: neither the environment nor the working directory can add code.
    """
    archive = own_archive()
    if archive is not None:
        return (sys.executable, "-I", archive)
    return (sys.executable, "-I", "-m", "reconcile")


def own_archive() -> str | None:
    """The one file that this process runs, None where the program is installed."""
    loader = getattr(sys.modules["__main__"], "__loader__", None)
    return os.path.abspath(loader.archive) if isinstance(loader, zipimporter) else None
