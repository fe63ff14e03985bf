"""Paths as strings that may hold any byte, and the names of reconcile's own helper files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

HELPER_MARK = ".reconcile-"
HELPER_NAME = re.compile(r"\A\..*\.reconcile-[0-9a-zA-Z_-]+\Z", re.DOTALL)
LONGEST_STEM = 160
"""Bytes of the original name that a helper's name repeats; the limit of a name is 255."""


def ancestors(path: str) -> Iterator[str]:
    """Yield every directory above `path`, nearest first, `/` last."""
    while path != "/":
        path = path.rpartition("/")[0].rstrip("/") or "/"
        yield path


def upwards(path: str) -> Iterator[str]:
    """Yield `path` itself, then every directory above it; only itself where it is no path."""
    yield path
    if path.startswith("/"):
        yield from ancestors(path)


def ancestors_top_down(path: str) -> list[str]:
    """Every directory above `path` but `/`, from the first level down."""
    names = components(path)[:-1]
    return ["/" + "/".join(names[: depth + 1]) for depth in range(len(names))]


def components(path: str) -> list[str]:
    """The names that `path` consists of, without empty ones and `.`."""
    return [name for name in path.split("/") if name not in ("", ".")]


def is_inside(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or lies below it."""
    return f"{path}/".startswith(folder.rstrip("/") + "/")


def overlap(one: str, other: str) -> bool:
    """Whether one of the paths contains the other."""
    return is_inside(one, other) or is_inside(other, one)


def relative_to(path: str, folder: str) -> str | None:
    """`path` relative to `folder`; None where it does not lie below it."""
    below = folder.rstrip("/") + "/"
    return path.removeprefix(below) if path.startswith(below) else None


def helper_name(name: str, label: str) -> str:
    """An unguessable name for a file beside `name`, which `is_helper_name` recognizes."""
    stem = os.fsdecode(os.fsencode(name)[:LONGEST_STEM])
    return f".{stem}{HELPER_MARK}{label}-{os.urandom(8).hex()}"


def is_helper_name(name: str) -> bool:
    """Whether `name` is that of one of reconcile's temporary or backup files."""
    return HELPER_MARK in name and HELPER_NAME.match(name) is not None
