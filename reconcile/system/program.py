"""How a unit runs this program again."""

from __future__ import annotations

import sys


def own_program() -> tuple[str, ...]:
    """The start of a command line that runs this installation of reconcile.

    Isolated: neither the environment nor the working directory can add code.
    """
    return (sys.executable, "-I", "-m", "reconcile")
