"""The file that was meant by a path that does not exist."""

from __future__ import annotations

from posixpath import join
from typing import TYPE_CHECKING

from reconcile.nginx.near_names import NearName, near_names

if TYPE_CHECKING:
    from reconcile.filesystem.files import Files

MAX_NAMES = 20_000
"""Names of one folder that are compared."""


def near_path(files: Files, root: str, path: str) -> NearName | None:
    """The one path below `root` that differs from `path` in spelling alone, and in what."""
    found, differences = root, dict[str, None]()
    for name in path.removeprefix(root).strip("/").split("/"):
        step = join(found, name)
        if files.stat(step, follow=True) is None:
            near = list(near_names(_names_in_folder(files, found), name))
            if len(near) != 1:
                return None
            step = join(found, near[0][0])
            differences[near[0][1]] = None
        found = step
    return NearName(found, " and ".join(differences)) if found != path else None


def _names_in_folder(files: Files, folder: str) -> list[str]:
    st = files.stat(folder, follow=True)
    return files.listdir(folder)[:MAX_NAMES] if st and st.kind == "directory" else []
