"""Where every command begins: before anything else is imported."""

from __future__ import annotations

import gc
import os
import sys


def main() -> int:
    """Run the command line; the exit code."""
    if os.geteuid() == 0:
        sys.path[:] = trusted(sys.path, os.environ.get("PYTHONPATH", ""))
    # Known without any command, and asked by scripts in loops.
    if sys.argv[1:] in (["--version"], ["-V"]):
        from reconcile import __version__

        sys.stdout.write(f"reconcile {__version__}\n")
        return 0
    from reconcile.cli.guard import guarded

    # Whatever else is installed here is not asked to take part in our validation: it would
    # run as root, and only to look for it costs 3 % of a plan.
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    # What a command makes while it starts lives as long as it does: looking through
    # it for garbage again and again costs 5 % of a plan.
    gc.set_threshold(50_000)
    return guarded(_run)


def trusted(entries: list[str], python_path: str) -> list[str]:
    """`entries` without those that the environment or the working directory brought in.

    All our imports but the first few come later, so a module that someone has left
    where root happens to stand is never root's code.
    """
    foreign = {os.path.abspath(entry) for entry in python_path.split(os.pathsep)}
    foreign.add(os.getcwd())
    return [entry for entry in entries if os.path.abspath(entry) not in foreign]


def _run() -> int:
    from reconcile.cli.app import app_for

    app = app_for(sys.argv[1:])
    code: int | None = app(prog_name="reconcile", standalone_mode=False)
    return code or 0
