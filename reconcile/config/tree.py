"""How paths lie to each other, by name alone."""

from __future__ import annotations


def ancestors(path: str) -> tuple[str, ...]:
    """Every directory above `path`, from the first level below `/` down to its parent."""
    names = path.strip("/").split("/")[:-1]
    return tuple("/" + "/".join(names[: depth + 1]) for depth in range(len(names)))


def inside(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or lies in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
