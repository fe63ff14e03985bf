"""From a location to a file: root and alias, try_files, index, static files and listings."""

from __future__ import annotations

from reconcile.nginx.model.latin1 import from_raw
from reconcile.nginx.routing.indeterminate import Indeterminate
from reconcile.nginx.routing.request import FOLDERS
from reconcile.nginx.routing.request_context import (
    InternalRedirect,
    PathMapping,
    PhaseResult,
    RequestContext,
    StatusResult,
)
from reconcile.nginx.routing.route import Answer, Tried
from reconcile.nginx.routing.uri import escaped

_STATIC_METHODS = ("GET", "HEAD", "POST")


def _alias_after_rewrite(context: RequestContext, root: PathMapping) -> StatusResult | None:
    if root.is_alias and not context.valid_location:
        return StatusResult(500, reason="alias cannot be used where the URI was rewritten")
    return None


def try_files(context: RequestContext) -> PhaseResult | None:
    """Apply try_files: the first existing candidate, else its last argument."""
    written = context.scope.own.get("try_files")
    if not written:
        return None
    root = context.path_mapping()
    if refusal := _alias_after_rewrite(context, root):
        return refusal
    *tried, last = written[0].args
    for candidate in tried:
        if _take(context, root, candidate):
            return None
    return _fallback(context, root, last)


def _take(context: RequestContext, root: PathMapping, candidate: str) -> bool:
    wants_folder = candidate.endswith("/")
    name = _candidate(context, root, candidate[:-1] if wants_folder else candidate)
    path = root.folder + name
    kind = context.kind(path)
    context.tried.append(Tried(from_raw(path + "/" * wants_folder), kind))
    # Nginx only asks for the name here: a file that it cannot read is taken, and then is 403.
    if kind in ("missing", "denied") or (kind in FOLDERS) != wants_folder:
        return False
    if not root.is_whole:
        context.path = context.path[: root.strip_length] + name
    elif not wants_folder:
        context.path, context.add_uri_to_alias = name, True
    return True


def _candidate(context: RequestContext, root: PathMapping, template: str) -> str:
    """An argument of try_files; below an alias one with variables loses the location's name."""
    name = context.expand(template)
    if "$" in template and root.is_alias and not root.is_whole:
        return name.removeprefix(context.path[: root.strip_length])
    return name


def _fallback(context: RequestContext, root: PathMapping, last: str) -> PhaseResult:
    if last.startswith("=") and last[1:].isdecimal():
        return StatusResult(int(last[1:]), reason="no file of try_files exists")
    target = _candidate(context, root, last)
    if target.startswith("@"):
        return InternalRedirect(target)
    path, _, args = target.partition("?")
    return InternalRedirect(path, args)


def content(context: RequestContext) -> PhaseResult:
    """Run the content phase: a handler, an index, a listing or a file."""
    handler = context.scope.handler
    if handler:
        return _handled(context, handler.name, handler.args)
    if context.path.endswith("/"):
        return _index(context) or _listing(context)
    return _static(context)


def _handled(context: RequestContext, name: str, args: tuple[str, ...]) -> Answer:
    if name.endswith("_pass"):
        if not context.path:
            raise Indeterminate(f"{args[0]} would get an empty path, which is not valid HTTP")
        return Answer("pass", context.error_status or None, target=args[0])
    return Answer("handler", context.error_status or None, reason=name)


def _static(context: RequestContext) -> PhaseResult:
    if context.method not in _STATIC_METHODS:
        return StatusResult(405, reason=f"static files do not allow {context.method}")
    root = context.path_mapping()
    path = context.file_path(root)
    if refusal := _alias_after_rewrite(context, root):
        return refusal
    kind = context.kind(path)
    if kind == "directory":
        target = escaped(context.path) + "/" + (f"?{context.args}" if context.args else "")
        return StatusResult(301, target=target, path=from_raw(path))
    if kind == "special":
        raise Indeterminate(f"{from_raw(path)} is neither a file nor a directory")
    if kind == "missing":
        return StatusResult(404, path=from_raw(path), reason=kind)
    if kind != "file":
        return StatusResult(403, path=from_raw(path), reason="denied")
    if context.method == "POST":
        return StatusResult(405, path=from_raw(path), reason="static files do not allow POST")
    return Answer("file", context.error_status or 200, path=from_raw(path))


def _index(context: RequestContext) -> PhaseResult | None:
    if context.method not in _STATIC_METHODS:
        return None
    written = context.scope.inherited("index")
    names = [name for directive in written for name in directive.args] or ["index.html"]
    tested = False
    for name in names:
        name = context.expand(name)
        if name.startswith("/"):
            return InternalRedirect(name, context.args)
        root = context.path_mapping()
        if refusal := _alias_after_rewrite(context, root):
            return refusal
        folder = context.file_path(root)
        kind = context.kind(folder + name)
        context.tried.append(Tried(from_raw(folder + name), kind))
        if kind == "denied":
            return StatusResult(403, path=from_raw(folder + name), reason=kind)
        if kind != "missing":
            return InternalRedirect(context.path + name, context.args)
        if not tested and (refusal := _no_folder(context, folder, is_index=True)):
            return refusal
        tested = True
    return None


def _no_folder(
    context: RequestContext, folder: str, *, is_index: bool = False
) -> StatusResult | None:
    kind = context.kind(folder)
    if kind == "directory" or (is_index and context.is_folder(folder)):
        return None
    # An alias without its slash: NAMEindex.html is missing, and NAME is no directory.
    if is_index and kind in ("file", "unreadable") and not folder.endswith("/"):
        return StatusResult(500, path=from_raw(folder), reason="not a directory")
    is_denied = kind in ("denied", "unlistable")
    reason = "denied" if is_denied else "missing"
    return StatusResult(403 if is_denied else 404, path=from_raw(folder), reason=reason)


def _listing(context: RequestContext) -> PhaseResult:
    if context.method not in _STATIC_METHODS:
        return StatusResult(405, reason=f"static files do not allow {context.method}")
    root = context.path_mapping()
    if refusal := _alias_after_rewrite(context, root):
        return refusal
    folder = context.file_path(root)
    if context.method == "POST" or context.scope.argument("autoindex", "off") != "on":
        return StatusResult(
            403, path=from_raw(folder), reason="no index file exists, and autoindex is off"
        )
    # Nginx strips the last character unconditionally: an alias without a slash loses a letter.
    folder = folder[:-1] if len(folder) > 1 else folder
    if refusal := _no_folder(context, folder):
        return refusal
    return Answer("listing", context.error_status or 200, path=from_raw(folder))


def check_model(context: RequestContext) -> None:
    """Raise Indeterminate where a module that is not simulated decides."""
    opaque = _OPAQUE if context.method in _STATIC_METHODS else (*_OPAQUE, "dav_methods")
    for name in opaque:
        if context.scope.argument(name, "off") != "off":
            raise Indeterminate(f"{name} decides")


_ACCESS_BY_LUA = ("access_by_lua", "access_by_lua_block", "access_by_lua_file")
ADMITTING = (
    *("auth_request", "auth_jwt", "auth_pam", "auth_ldap", "auth_gss", "auth_digest"),
    *_ACCESS_BY_LUA,
)
"""What decides who is let in."""
ANSWERING = (
    *_ACCESS_BY_LUA,
    *("rewrite_by_lua", "rewrite_by_lua_block", "rewrite_by_lua_file"),
    *("server_rewrite_by_lua_block", "server_rewrite_by_lua_file"),
    "passenger_enabled",
)
"""What may answer, or lead elsewhere, before the disk is read."""
_OPAQUE = (*ADMITTING, *ANSWERING, "random_index")
