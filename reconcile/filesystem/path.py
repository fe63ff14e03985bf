"""Paths as strings that may hold any byte, and the names of our own helpers among them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

HELPER_MARK = ".reconcile-"
HELPER_NAME = re.compile(r"\A\..*\.reconcile-[0-9a-zA-Z_-]+\Z", re.DOTALL)
LONGEST_STEM = 160
"""Bytes of the original name that a helper's name repeats; the limit is 255."""


def parent(path: str) -> str:
    return os.path.dirname(path)


def base(path: str) -> str:
    return os.path.basename(path)


def join(folder: str, *names: str) -> str:
    return os.path.join(folder, *names)


def ancestors(path: str) -> Iterator[str]:
    """Every directory above `path`, nearest first, `/` last."""
    while path != "/":
        path = parent(path)
        yield path


def is_inside(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or lies below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def overlap(one: str, other: str) -> bool:
    """Whether one of the paths contains the other."""
    return is_inside(one, other) or is_inside(other, one)


def as_bytes(path: str) -> bytes:
    """The bytes that the kernel sees; also the order in which paths are listed."""
    return os.fsencode(path)


def token() -> str:
    return os.urandom(8).hex()


def helper_name(name: str, label: str) -> str:
    """A name beside `name` that nobody can guess and `is_ours` knows again."""
    stem = os.fsdecode(os.fsencode(name)[:LONGEST_STEM])
    return f".{stem}{HELPER_MARK}{label}-{token()}"


def is_helper_name(name: str) -> bool:
    """Whether `name` is that of a temporary or kept file of ours."""
    return HELPER_MARK in name and HELPER_NAME.match(name) is not None
