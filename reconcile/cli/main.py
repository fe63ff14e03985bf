"""Where every command begins: before anything else is imported."""

from __future__ import annotations

import gc
import os
import site
import sys

from reconcile import __version__


def main() -> int:
    """Run the command line; return its exit code."""
    open_missing_streams()
    if os.geteuid() == 0:
        sys.path[:] = without_untrusted(sys.path, os.environ.get("PYTHONPATH", ""))
    # Scripts call this in loops, and it needs no command.
    if sys.argv[1:] in (["--version"], ["-V"]):
        return print_version()
    # Objects created at start-up live as long as the command: searching them for garbage
    # again and again costs 5 % of a plan.
    gc.set_threshold(50_000)
    # Only now: sys.path was not safe to import from before.
    from reconcile.cli.app import create_app
    from reconcile.cli.error_boundary import run_guarded

    # A plugin of pydantic's that happens to be installed would run as root, and searching for
    # plugins costs 3 % of a plan.
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    code = run_guarded(lambda: create_app()(prog_name="reconcile", standalone_mode=False) or 0)
    # Python searches for garbage twice as it ends, which costs a fifth of a plan and frees
    # what the end of the process frees anyway.
    gc.freeze()
    return code


def print_version() -> int:
    """Print the version; return 1 where it cannot be written."""
    try:
        os.write(sys.stdout.fileno(), f"reconcile {__version__}\n".encode())
    except OSError:
        return 1
    return 0


def open_missing_streams() -> None:
    """Open /dev/null for each standard stream that the caller has closed.

    Otherwise the next file that is opened would get its descriptor, and with it what is
    written to that stream.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # The kernel gives the lowest free descriptor: the one that is missing.
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  stays open


def without_untrusted(entries: list[str], python_path: str) -> list[str]:
    """`entries` without those from the environment and the working directory.

    Nearly all imports come later, so a module that someone left in the folder where root
    happens to be never runs as root. Python's own folders stay, wherever root happens to be.
    """
    here = _working_directory()
    untrusted = {os.path.normpath(os.path.join(here, entry)) for entry in python_path.split(":")}
    untrusted = (untrusted | {here}) - _own_folders()
    return [entry for entry in entries if os.path.isabs(entry) and entry not in untrusted]


def _own_folders() -> set[str]:
    """The folders that hold Python itself and what is installed for it."""
    library = os.path.dirname(os.__file__)
    return {library, os.path.join(library, "lib-dynload"), *site.getsitepackages()}


def _working_directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return "/"  # It was removed, so nothing can be imported from it.
