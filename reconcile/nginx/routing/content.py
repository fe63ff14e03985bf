"""From a location to a file: root and alias, try_files, index, static files and listings."""

from __future__ import annotations

from reconcile.nginx.model.latin1 import from_raw
from reconcile.nginx.routing.location_match import Undecidable
from reconcile.nginx.routing.request_context import Jump, Outcome, Root, Status, Visit
from reconcile.nginx.routing.route import Answer
from reconcile.nginx.routing.uri import escaped

_STATIC_METHODS = ("GET", "HEAD", "POST")


def _alias_after_rewrite(visit: Visit, root: Root) -> Status | None:
    if root.is_alias and not visit.valid_location:
        return Status(500, reason="alias cannot be used where the URI was rewritten")
    return None


def try_files(visit: Visit) -> Outcome | None:
    """The first of try_files that exists becomes the path; else its last argument decides."""
    written = visit.scope.own.get("try_files")
    if not written:
        return None
    root = visit.root()
    if refusal := _alias_after_rewrite(visit, root):
        return refusal
    *tried, last = written[0].args
    for candidate in tried:
        if _take(visit, root, candidate):
            return None
    return _fallback(visit, last)


def _take(visit: Visit, root: Root, candidate: str) -> bool:
    wants_folder = candidate.endswith("/")
    name = visit.expand(candidate[:-1] if wants_folder else candidate)
    if "$" in candidate and root.is_alias and not root.is_whole:
        name = name.removeprefix(visit.path[: root.cut])
    kind = visit.kind(root.folder + name)
    if kind in ("missing", "denied") or (kind == "directory") != wants_folder:
        return False
    if not root.is_whole:
        visit.path = visit.path[: root.cut] + name
    elif not wants_folder:
        visit.path, visit.add_uri_to_alias = name, True
    return True


def _fallback(visit: Visit, last: str) -> Outcome:
    if last.startswith("=") and last[1:].isdecimal():
        return Status(int(last[1:]), reason="nothing of try_files exists")
    target = visit.expand(last)
    if target.startswith("@"):
        return Jump(target)
    path, _, args = target.partition("?")
    return Jump(path, args)


def content(visit: Visit) -> Outcome:
    """What answers in the end: a handler, an index, a listing or a file."""
    handler = visit.scope.handler
    if handler:
        return _handled(visit, handler.name, handler.args)
    if visit.path.endswith("/"):
        return _index(visit) or _listing(visit)
    return _static(visit)


def _handled(visit: Visit, name: str, args: tuple[str, ...]) -> Answer:
    if name.endswith("_pass"):
        if not visit.path:
            raise Undecidable(f"{args[0]} is asked for an empty path, which is no request of HTTP")
        return Answer("pass", visit.error_status or None, target=args[0])
    return Answer("handler", visit.error_status or None, reason=name)


def _static(visit: Visit) -> Outcome:
    if visit.method not in _STATIC_METHODS:
        return Status(405, reason=f"files are not there for {visit.method}")
    root = visit.root()
    path = visit.file_path(root)
    if refusal := _alias_after_rewrite(visit, root):
        return refusal
    kind = visit.kind(path)
    if kind == "directory":
        target = escaped(visit.path) + "/" + (f"?{visit.args}" if visit.args else "")
        return Status(301, target=target, path=from_raw(path))
    if kind != "file":
        return Status(403 if kind == "denied" else 404, path=from_raw(path), reason=kind)
    if visit.method == "POST":
        return Status(405, path=from_raw(path), reason="files are not there for POST")
    strict = visit.scope.argument("disable_symlinks", "off")
    reason = "" if strict == "off" else f"unless disable_symlinks {strict} refuses a link in it"
    return Answer("file", visit.error_status or 200, path=from_raw(path), reason=reason)


def _index(visit: Visit) -> Outcome | None:
    if visit.method not in _STATIC_METHODS:
        return None
    written = visit.scope.inherited("index")
    names = [name for directive in written for name in directive.args] or ["index.html"]
    tested = False
    for name in names:
        name = visit.expand(name)
        if name.startswith("/"):
            return Jump(name, visit.args)
        root = visit.root()
        if refusal := _alias_after_rewrite(visit, root):
            return refusal
        folder = visit.file_path(root)
        kind = visit.kind(folder + name)
        if kind == "denied":
            return Status(403, path=from_raw(folder + name), reason=kind)
        if kind != "missing":
            return Jump(visit.path + name, visit.args)
        if not tested and (refusal := _no_folder(visit, folder, is_index=True)):
            return refusal
        tested = True
    return None


def _no_folder(visit: Visit, folder: str, *, is_index: bool = False) -> Status | None:
    kind = visit.kind(folder)
    if kind == "directory":
        return None
    # An alias without its slash: NAMEindex.html is missing, and NAME is no directory.
    if is_index and kind == "file" and not folder.endswith("/"):
        return Status(500, path=from_raw(folder), reason="not a directory")
    return Status(403 if kind == "denied" else 404, path=from_raw(folder), reason=kind)


def _listing(visit: Visit) -> Outcome:
    if visit.method not in _STATIC_METHODS:
        return Status(405, reason=f"files are not there for {visit.method}")
    root = visit.root()
    if refusal := _alias_after_rewrite(visit, root):
        return refusal
    folder = visit.file_path(root)
    if visit.method == "POST" or visit.scope.argument("autoindex", "off") != "on":
        return Status(403, path=from_raw(folder), reason="there is no index, and no autoindex")
    # Nginx cuts the slash off without looking: an alias that lacks it loses a letter.
    folder = folder[:-1] if len(folder) > 1 else folder
    if refusal := _no_folder(visit, folder):
        return refusal
    return Answer("listing", visit.error_status or 200, path=from_raw(folder))


def check_model(visit: Visit) -> None:
    """Errors: Undecidable where a module decides that is no part of this model."""
    opaque = _OPAQUE if visit.method in _STATIC_METHODS else (*_OPAQUE, "dav_methods")
    for name in opaque:
        if visit.scope.argument(name, "off") != "off":
            raise Undecidable(f"{name} decides")


_OPAQUE = (
    "auth_request",
    "auth_jwt",
    "rewrite_by_lua_block",
    "rewrite_by_lua_file",
    "access_by_lua_block",
    "access_by_lua_file",
    "random_index",
)
