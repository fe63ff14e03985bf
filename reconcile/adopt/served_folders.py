"""Locations of hand-written servers that serve folders: static, media or private."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import normpath
from typing import Any

from reconcile.adopt.cache_headers import parse_policy, policy_name, policy_values
from reconcile.adopt.draft import Draft
from reconcile.adopt.host_readings import FoundFolder, Inspector
from reconcile.config.cache_policy import BUILT_IN_CACHE_POLICIES as BUILT_IN_POLICIES
from reconcile.config.document import Loc
from reconcile.config.owner import BUILT_IN_OWNERS, OwnerEntry
from reconcile.config.site.location import DEFAULT_CACHE, DEFAULT_OWNER
from reconcile.errors import ReconcileError
from reconcile.nginx.model.latin1 import from_raw
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.routing.headers import sent_headers, values_of
from reconcile.nginx.routing.request import Request
from reconcile.nginx.routing.route import Answer, Route
from reconcile.nginx.routing.servers import Server
from reconcile.types import LocationRole

_STATIC = re.compile(r"static|asset|/(?:css|js|img|images|fonts|dist|build)\b", re.IGNORECASE)
_MEDIA = re.compile(r"media|upload|attachment|avatar", re.IGNORECASE)
_COVERED = re.compile(
    r"alias |root |internal$|expires |access_log |autoindex off$|add_header [\w-]+ [^$]*$"
    r"|try_files (\$uri/? )+=404$",
    re.IGNORECASE,
)
"""Directives that a rendered site contains too, or that have a key."""


@dataclass(frozen=True)
class ServedFolder:
    """A URL prefix and the folder that it serves."""

    prefix: str
    dir: str
    scope: Scope
    place: str


def served_folders(server: Server) -> Iterator[ServedFolder]:
    """Yield every prefix location of a server that serves a folder."""
    for scope in server.scope.locations:
        if scope.modifier in ("", "^~") and not scope.handler and "return" not in scope.own:
            found = _folder(scope)
            if found:
                yield found
    if not any(scope.name == "/" for scope in server.scope.locations):
        yield from _root_of(server)


def _folder(scope: Scope) -> ServedFolder | None:
    named = scope.own.get("alias") or scope.own.get("root") or _server_root(scope)
    if not named or not named[0].args or not _is_plain(named[0].args[0]):
        return None
    [directive, *_], prefix = named, from_raw(scope.name)
    folder = directive.args[0]
    if directive.name == "root":
        folder = folder.removesuffix("/") + prefix
    slashed = prefix if prefix.endswith("/") else f"{prefix}/"
    return ServedFolder(slashed, normpath(folder), scope, directive.place)


def _is_plain(path: str) -> bool:
    return path.startswith("/") and "$" not in path


def _server_root(scope: Scope) -> list[Any]:
    level = scope.nearest("root", "alias")
    named_here = level is not None and level.directive.name == "server"
    return level.own.get("root", []) if level is not None and named_here else []


def _root_of(server: Server) -> Iterator[ServedFolder]:
    """A server without a location `/` serves its root."""
    for root in server.scope.own.get("root", []):
        has_handler = server.scope.handler or "return" in server.scope.own
        if root.args and _is_plain(root.args[0]) and not has_handler:
            yield ServedFolder("/", normpath(root.args[0]), server.scope, root.place)


def adopt_folder(
    found: ServedFolder, draft: Draft, site: str, inspector: Inspector, *, is_managed: bool
) -> bool:
    """Add the location to the draft; False, with a note, where that is not possible."""
    at: Loc = ("sites", site)
    try:
        folder = inspector.folder(found.dir)
    except (ReconcileError, OSError) as trouble:
        what = f"{found.prefix} is left out: {found.dir} cannot be read ({trouble})"
        draft.add_error(found.place, what, at=at)
        return False
    if folder is None:
        draft.add_note(
            found.place, f"{found.prefix} is left out: there is no folder {found.dir}", at=at
        )
        return False
    locations = draft.sites[site].setdefault("locations", {})
    if found.prefix in locations:
        draft.add_note(found.place, f"a second location {found.prefix} is left out", at=at)
        return False
    here = (*at, "locations", found.prefix)
    role = role_of(found, folder, draft, here)
    locations[found.prefix] = {"role": role, "dir": found.dir}
    _set_owner(locations[found.prefix], role, folder)
    if role != "private":
        _set_cache(locations[found.prefix], role, found, draft, here)
    if not is_managed:
        _note_other_directives(found, draft, here)
    return True


def role_of(found: ServedFolder, folder: FoundFolder, draft: Draft, at: Loc) -> LocationRole:
    """Derive the role from the configuration, the name, or the owner; media where unsure."""
    if found.scope.inherited("internal"):
        return "private"
    for text in (found.prefix, found.dir):
        if _MEDIA.search(text):
            return "media"
        if _STATIC.search(text):
            return "static"
    role: LocationRole = "static" if folder.user == "root" else "media"
    draft.add_comment(
        at, f"Assumed to be {role}, because it belongs to {folder.user}; correct it if it is not."
    )
    return role


def _set_owner(entry: dict[str, Any], role: LocationRole, found: FoundFolder) -> None:
    """Set the most common owner, unless it is the role's default."""
    owner = OwnerEntry.model_construct(
        user=found.user,
        group=found.group,
        dirs=0o755 if found.dirs is None else found.dirs,
        files=0o644 if found.files is None else found.files,
    )
    named = next((name for name, known in BUILT_IN_OWNERS.items() if known == owner), None)
    if named is None:
        entry["owner"] = {
            "user": owner.user,
            "group": owner.group,
            "dirs": f"{owner.dirs:04o}",
            "files": f"{owner.files:04o}",
        }
    elif named != DEFAULT_OWNER[role]:
        entry["owner"] = named


def _set_cache(
    entry: dict[str, Any], role: LocationRole, found: ServedFolder, draft: Draft, at: Loc
) -> None:
    """Set the equivalent policy, with a comment where the header's text differs."""
    sent = Route(Request(found.prefix), Answer("file", 200), scope=found.scope)
    lines = values_of(sent_headers(sent), "Cache-Control")
    policy, shown = parse_policy(lines), " and ".join(map(repr, lines)) or "none"
    if policy is None:
        chosen = DEFAULT_CACHE[role]
        draft.add_comment(
            at, f"Cache-Control now: {shown}; a file written by reconcile has {chosen}'s."
        )
        return
    name = policy_name(policy)
    if name not in BUILT_IN_POLICIES:
        draft.section("cache_policies")[name] = policy_values(policy)
    if name != DEFAULT_CACHE[role]:
        entry["cache"] = name
    if list(lines) != [policy.header]:
        draft.add_comment(at, f"Cache-Control now: {shown}, which means {policy.header!r}.")


def _note_other_directives(found: ServedFolder, draft: Draft, at: Loc) -> None:
    """Note the directives of the location that the YAML cannot express."""
    if found.scope.directive.name != "location":
        return
    if not from_raw(found.scope.name).endswith("/"):
        draft.add_comment(at, f"Now `{found.scope}`, without a trailing slash.")
    draft.note_directives(found.scope.directives, _COVERED, found.prefix, found.place, at)
