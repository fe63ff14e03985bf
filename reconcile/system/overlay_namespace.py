"""Runs a program in a private mount namespace: planned files in place, all else read-only.

Its writes do not reach the machine. It shares the machine's network.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from subprocess import DEVNULL, SubprocessError, TimeoutExpired, run
from typing import Any

from reconcile.errors import ReconcileError
from reconcile.filesystem.planned_entry import FOLDER, Entry, Link, PlannedEntries
from reconcile.system.commands import ENVIRONMENT, CompletedCommand
from reconcile.system.kernel import CLONE_NEWNS, CLONE_NEWUSER, MS_BIND, MS_PRIVATE, MS_REC, Kernel


class NoNamespace(ReconcileError):
    """The kernel, or the container, allows no private mount namespace."""


def run_in_view(
    argv: Sequence[str], view: PlannedEntries, *, timeout_s: float = 10.0
) -> CompletedCommand:
    """Run `argv` (an absolute, trusted program) with `view` in place of the machine's files.

    Units: `timeout_s` bounds the whole run.
    Errors: NoNamespace, before anything was run; ReconcileError where it did not end in time.
    """
    kernel = Kernel()
    error_reader, error_writer = os.pipe()
    try:
        done = run(
            argv,
            stdin=DEVNULL,
            capture_output=True,
            cwd="/",
            env=ENVIRONMENT,
            timeout=timeout_s,
            preexec_fn=lambda: _report_error(error_writer, lambda: _enter_view(kernel, view)),
            check=False,
        )
    except TimeoutExpired:
        raise ReconcileError(
            what=f"{argv[0]} did not end within {timeout_s:g} s",
            why="it was run on the planned files in a private mount namespace, and was killed",
            fix="Check the filesystems that it reads from. Nothing was changed.",
        ) from None
    except SubprocessError:
        os.set_blocking(error_reader, False)
        raise _no_namespace(os.read(error_reader, 4096).decode()) from None
    finally:
        os.close(error_reader)
        os.close(error_writer)
    text = (part.decode("utf-8", "surrogateescape") for part in (done.stdout, done.stderr))
    return CompletedCommand(tuple(argv), done.returncode, *text)


def _no_namespace(why: str) -> NoNamespace:
    return NoNamespace(
        what="no private mount namespace is available",
        why=why,
        fix="Give the container CAP_SYS_ADMIN, or allow unprivileged user namespaces.",
    )


def _report_error(error_writer: int, setup: Any) -> None:
    try:
        setup()
    except OSError as error:
        os.write(error_writer, str(error).encode())
        raise


def _enter_view(kernel: Kernel, view: PlannedEntries) -> None:
    _unshare(kernel)
    kernel.mount("none", "/", "none", MS_REC | MS_PRIVATE)
    kernel.make_read_only(b"/")
    for top, below in _tops(view).items():
        _mount_over(kernel, top, below)


def _unshare(kernel: Kernel) -> None:
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        kernel.unshare(CLONE_NEWNS)
        return
    kernel.unshare(CLONE_NEWNS | CLONE_NEWUSER)
    # The same ids as outside, so that the program runs with its real ids.
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as map_file:
            map_file.write(text)


@dataclass
class _Node:
    """One name of the view: an entry, or a folder with such names in it."""

    entry: Entry | None = None
    below: dict[str, _Node] = field(default_factory=dict)


def _tops(view: PlannedEntries) -> dict[str, _Node]:
    """The existing folders that the view covers, none of them inside another."""
    folders = sorted({_existing(os.path.dirname(path)) for path in view} - {"/"})
    tops: dict[str, _Node] = {}
    for folder in folders:
        if not any(folder.startswith(f"{top}/") for top in tops):
            tops[folder] = _Node()
    for path, entry in view.items():
        _place(
            tops,
            os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)),
            entry,
        )
    return tops


def _existing(folder: str) -> str:
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return os.path.realpath(folder)


def _place(tops: dict[str, _Node], path: str, entry: Entry) -> None:
    for top, node in tops.items():
        if path.startswith(f"{top}/"):
            for name in path.removeprefix(f"{top}/").split("/"):
                node = node.below.setdefault(name, _Node())
            node.entry = entry


def _mount_over(kernel: Kernel, top: str, node: _Node) -> None:
    """Mount a filesystem in memory over `top` that shows its content with the changes."""
    old = os.open(top, os.O_PATH | os.O_DIRECTORY)
    kernel.mount("tmpfs", top, "tmpfs", 0, "mode=0755")
    _fill(kernel, f"/proc/self/fd/{old}", top, node)
    os.close(old)


def _fill(kernel: Kernel, old: str, new: str, node: _Node) -> None:
    if os.path.isdir(old):
        for entry in os.scandir(old):
            if entry.name not in node.below:
                _mirror_entry(kernel, entry, f"{new}/{entry.name}")
    for name, below in node.below.items():
        _create_planned(kernel, f"{old}/{name}", f"{new}/{name}", below)


def _mirror_entry(kernel: Kernel, entry: os.DirEntry[str], new: str) -> None:
    if entry.is_symlink():
        os.symlink(os.readlink(entry.path), new)
    elif entry.is_dir():
        os.mkdir(new)
        kernel.mount(entry.path, new, "none", MS_BIND | MS_REC)
    else:
        os.mknod(new, stat.S_IFREG | 0o600)
        kernel.mount(entry.path, new, "none", MS_BIND)


def _create_planned(kernel: Kernel, old: str, new: str, node: _Node) -> None:
    if isinstance(node.entry, bytes):
        with open(new, "wb") as file:
            file.write(node.entry)
    elif isinstance(node.entry, Link):
        os.symlink(node.entry.target, new)
    elif node.below or node.entry is FOLDER:
        os.mkdir(new)
        _fill(kernel, old, new, node)
