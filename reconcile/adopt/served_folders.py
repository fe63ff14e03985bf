"""Locations of hand-written servers that are folders: static, media or private ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import normpath
from typing import Any

from reconcile.adopt.cache_headers import name_of, policy_of, written
from reconcile.adopt.discovery import Around, FoundFolder
from reconcile.adopt.draft import Draft
from reconcile.config.cache_policy import BUILT_IN_CACHE_POLICIES as BUILT_IN_POLICIES
from reconcile.config.document import Loc
from reconcile.config.models.caches import BUILT_IN as BUILT_IN_POLICIES
from reconcile.config.models.owners import BUILT_IN as BUILT_IN_OWNERS
from reconcile.config.owner import BUILT_IN_OWNERS, Owner
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
_SAID = re.compile(
    r"alias |root |internal$|expires |access_log |autoindex off$|add_header cache-control "
    r"|try_files (\$uri/? )+=404$",
    re.IGNORECASE,
)
"""What a file of ours says as well, or what the YAML says in its own words."""


@dataclass(frozen=True)
class Folder:
    """A prefix and the folder behind it; `directive` says so."""

    prefix: str
    dir: str
    scope: Scope
    place: str


def folders(server: Server) -> Iterator[Folder]:
    """Every prefix location of a server that stands for a folder of its own."""
    for scope in server.scope.locations:
        if scope.modifier in ("", "^~") and not scope.handler and "return" not in scope.own:
            found = _folder(scope)
            if found:
                yield found
    if not any(scope.name == "/" for scope in server.scope.locations):
        yield from _root_of(server)


def _folder(scope: Scope) -> Folder | None:
    named = scope.own.get("alias") or scope.own.get("root") or _server_root(scope)
    if not named or not named[0].args or not _is_plain(named[0].args[0]):
        return None
    [directive, *_], prefix = named, from_raw(scope.name)
    folder = directive.args[0]
    if directive.name == "root":
        folder = folder.removesuffix("/") + prefix
    slashed = prefix if prefix.endswith("/") else f"{prefix}/"
    return Folder(slashed, normpath(folder), scope, directive.place)


def _is_plain(path: str) -> bool:
    return path.startswith("/") and "$" not in path


def _server_root(scope: Scope) -> list[Any]:
    level = scope.nearest("root", "alias")
    named_here = level is not None and level.directive.name == "server"
    return level.own.get("root", []) if level is not None and named_here else []


def _root_of(server: Server) -> Iterator[Folder]:
    """A server without a location `/` serves its root."""
    for root in server.scope.own.get("root", []):
        has_handler = server.scope.handler or "return" in server.scope.own
        if root.args and _is_plain(root.args[0]) and not has_handler:
            yield Folder("/", normpath(root.args[0]), server.scope, root.place)


def adopt_folder(found: Folder, draft: Draft, site: str, around: Around, *, is_ours: bool) -> bool:
    """Write the location down; False where it cannot be, which is told."""
    at: Loc = ("sites", site)
    try:
        folder = around.folder(found.dir)
    except (ReconcileError, OSError) as trouble:
        what = f"{found.prefix} is left out: {found.dir} cannot be read ({trouble})"
        draft.failed(found.place, what, at=at)
        return False
    if folder is None:
        draft.tell(
            found.place, f"{found.prefix} is left out: there is no folder {found.dir}", at=at
        )
        return False
    locations = draft.sites[site].setdefault("locations", {})
    if found.prefix in locations:
        draft.tell(found.place, f"a second location {found.prefix} is left out", at=at)
        return False
    here = (*at, "locations", found.prefix)
    role = role_of(found, folder, draft, here)
    locations[found.prefix] = {"role": role, "dir": found.dir}
    _owned(locations[found.prefix], role, folder)
    if role != "private":
        _cached(locations[found.prefix], role, found, draft, here)
    if not is_ours:
        _tell_the_rest(found, draft, here)
    return True


def role_of(found: Folder, folder: FoundFolder, draft: Draft, at: Loc) -> LocationRole:
    """By the configuration, by its name, else by whom it belongs to; never static where unsure."""
    if found.scope.inherited("internal"):
        return "private"
    for text in (found.prefix, found.dir):
        if _MEDIA.search(text):
            return "media"
        if _STATIC.search(text):
            return "static"
    role: LocationRole = "static" if folder.user == "root" else "media"
    draft.remark(at, f"Taken for {role}, as it belongs to {folder.user}; say so if it is not.")
    return role


def _owned(entry: dict[str, Any], role: LocationRole, found: FoundFolder) -> None:
    """The owner as most of the folder has it; the one of the role is left out."""
    owner = Owner.model_construct(
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


def _cached(
    entry: dict[str, Any], role: LocationRole, found: Folder, draft: Draft, at: Loc
) -> None:
    """The policy by its meaning; where the header is another text, the comment says which."""
    sent = Route(Request(found.prefix), Answer("file", 200), scope=found.scope)
    lines = values_of(sent_headers(sent), "Cache-Control")
    policy, told = policy_of(lines), " and ".join(map(repr, lines)) or "none"
    if policy is None:
        chosen = DEFAULT_CACHE[role]
        draft.remark(at, f"Cache-Control now: {told}; a file written by reconcile has {chosen}'s.")
        return
    name = name_of(policy)
    if name not in BUILT_IN_POLICIES:
        draft.section("cache_policies")[name] = written(policy)
    if name != DEFAULT_CACHE[role]:
        entry["cache"] = name
    if list(lines) != [policy.header]:
        draft.remark(at, f"Cache-Control now: {told}, which means {policy.header!r}.")


def _tell_the_rest(found: Folder, draft: Draft, at: Loc) -> None:
    """What of the location only the adopted file holds."""
    if found.scope.directive.name != "location":
        return
    if not from_raw(found.scope.name).endswith("/"):
        draft.remark(at, f"Now `{found.scope}`, without the slash at its end.")
    told = (" ".join([one.name, *one.args]) for one in found.scope.directives)
    rest = [words for words in told if not _SAID.match(words)]
    if rest:
        what = f"{found.prefix} has more than the YAML can say: {'; '.join(rest)}"
        fix = "Only the adopted file holds it."
        draft.tell(found.place, what, fix, at=at)
