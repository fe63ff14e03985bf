"""How paths relate to each other, by their text alone."""

from __future__ import annotations


def ancestors(path: str) -> tuple[str, ...]:
    """Every directory above `path` but `/`, the topmost first."""
    names = path.strip("/").split("/")[:-1]
    return tuple("/" + "/".join(names[: depth + 1]) for depth in range(len(names)))


def is_below(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or inside of it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def overlap(one: str, other: str) -> bool:
    """Whether one of the paths contains the other."""
    return is_below(one, other) or is_below(other, one)
