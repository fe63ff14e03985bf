"""The configuration files that serve adopted sites: their text and their links, under `paths`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from reconcile.adopt.discovery import Around, FoundFile
from reconcile.adopt.draft import Draft
from reconcile.config.yaml import MAX_BYTES, can_hold
from reconcile.errors import ReconcileError
from reconcile.nginx.model.tree import ConfigTree

_READABLE_BY_ALL = 0o004
_ROOM = MAX_BYTES // 2
"""For all texts together: the rest of the file is for what is said of them."""


@dataclass
class Watched:
    """Which file serves which site, by the name nginx opens it under.

    `exact` are the sites that a file of ours serves, so far as we know word for word.
    """

    tree: ConfigTree
    serves: dict[str, str] = field(default_factory=dict)
    exact: set[str] = field(default_factory=set)
    bytes: int = 0
    secret: bool = False
    """Whether a text is in the YAML that not everybody may read on the host."""


def watch(draft: Draft, watched: Watched, loaded: str, around: Around) -> None:
    """Put the file under `paths`, and its link; a file that holds more than sites stays out."""
    real = around.real(loaded)
    if loaded == watched.tree.config_path:
        fix = "Move its server blocks to a file of their own, then adopt again."
        draft.tell(loaded, "this file holds more than sites, so it is not watched", fix)
        return
    if real in draft.values.get("paths", {}):
        return
    try:
        file = around.file(real)
    except (ReconcileError, OSError) as trouble:
        draft.failed(real, f"this file cannot be read, so it is not watched: {trouble}")
        return
    if file is None or _refused(draft, watched, real, file):
        return
    watched.bytes += len(file.data)
    watched.secret = watched.secret or not file.mode & _READABLE_BY_ALL
    draft.paths[real] = {"owner": _owner(file), "content": file.data.decode()}
    if loaded != real:
        draft.paths[loaded] = {"link": real}


def adopt_file(draft: Draft, watched: Watched, site: str, around: Around) -> None:
    """Leave a site to the file that serves it now, and watch that file."""
    loaded = watched.serves[site]
    entry = draft.sites[site]
    draft.sites[site] = {
        "server_names": entry["server_names"],
        "adopted": around.real(loaded),
        **{key: value for key, value in entry.items() if key != "server_names"},
    }
    watched.exact.discard(site)
    draft.remark(
        ("sites", site, "adopted"),
        "This file serves the site as it is. `docs/adopt.md` tells how to have it written anew.",
    )
    watch(draft, watched, loaded, around)


def _refused(draft: Draft, watched: Watched, path: str, file: FoundFile) -> bool:
    if watched.bytes + len(file.data) > _ROOM:
        why = "with it the YAML would get too large"
    elif b"\r" in file.data:
        why = "it has line ends of Windows, which YAML cannot hold"
    elif not _is_text(file.data):
        why = "it holds bytes that YAML cannot hold"
    else:
        return False
    draft.tell(path, f"the text of this file is not watched: {why}")
    return True


def _is_text(data: bytes) -> bool:
    try:
        return can_hold(data.decode())
    except UnicodeDecodeError:
        return False


def _owner(file: FoundFile) -> Any:
    mode = f"{file.mode:04o}"
    if (file.user, file.group, mode) == ("root", "root", "0644"):
        return "assets"
    return {"user": file.user, "group": file.group, "files": mode}
