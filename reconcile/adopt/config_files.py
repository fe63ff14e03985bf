"""The nginx files of adopted sites, declared under `paths` with text and links."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from reconcile.adopt.draft import Draft
from reconcile.adopt.host_readings import FoundFile, Inspector
from reconcile.config.config_file import MAX_BYTES
from reconcile.config.yaml import can_hold
from reconcile.errors import ReconcileError
from reconcile.nginx.model.config_tree import ConfigTree

_READABLE_BY_ALL = 0o004
_ROOM = MAX_BYTES // 2
"""The limit for all texts together; the rest is for the other sections."""


@dataclass
class WatchedFiles:
    """The file that serves each site, by the name under which nginx opens it.

    `managed_sites` are those whose file is as reconcile wrote it.
    """

    tree: ConfigTree
    serves: dict[str, str] = field(default_factory=dict)
    managed_sites: set[str] = field(default_factory=set)
    read_beside: set[str] = field(default_factory=set)
    """The files whose directives beside servers are in the YAML."""
    bytes: int = 0
    secret: bool = False
    """Whether the YAML contains a text that is not world-readable on the host."""


def watch_file(draft: Draft, watched: WatchedFiles, loaded: str, inspector: Inspector) -> None:
    """Declare the file and its link under `paths`, unless it contains more than sites."""
    real = inspector.real(loaded)
    if loaded == watched.tree.config_path:
        fix = "Move its server blocks to a file of their own, then adopt again."
        draft.add_note(
            loaded, "this file contains more than server blocks, so it is not watched", fix
        )
        return
    if real in draft.values.get("paths", {}):
        return
    try:
        file = inspector.file(real)
    except (ReconcileError, OSError) as trouble:
        draft.add_error(real, f"this file cannot be read, so it is not watched: {trouble}")
        return
    if file is None or _cannot_watch(draft, watched, real, file):
        return
    watched.bytes += len(file.data)
    watched.secret = watched.secret or not file.mode & _READABLE_BY_ALL
    draft.paths[real] = {"owner": _owner(file), "content": file.data.decode()}
    if loaded != real:
        draft.paths[loaded] = {"link": real}


def adopt_file(draft: Draft, watched: WatchedFiles, site: str, inspector: Inspector) -> None:
    """Let a site keep its existing file, and watch that file."""
    loaded = watched.serves[site]
    entry = draft.sites[site]
    draft.sites[site] = {
        "server_names": entry["server_names"],
        "adopted": inspector.real(loaded),
        **{key: value for key, value in entry.items() if key != "server_names"},
    }
    watched.managed_sites.discard(site)
    draft.add_comment(
        ("sites", site, "adopted"),
        "This existing file serves the site. See `docs/adopt.md` to let reconcile write it.",
    )
    watch_file(draft, watched, loaded, inspector)


def _cannot_watch(draft: Draft, watched: WatchedFiles, path: str, file: FoundFile) -> bool:
    if watched.bytes + len(file.data) > _ROOM:
        why = "it would make the YAML too large"
    elif b"\r" in file.data:
        why = "it has Windows line endings, which YAML cannot represent"
    elif not _is_text(file.data):
        why = "it contains bytes that YAML cannot represent"
    else:
        return False
    draft.add_note(path, f"the text of this file is not watched: {why}")
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
