"""`if` in a location with try_files: where it holds, nginx does not try any file."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import all_locations
from reconcile.doctor.rule import Rule, RuleResult, error
from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.routing.servers import Server

_ONLY_IN_SERVER = frozenset(["set", "rewrite", "return", "break"])
"""What an `if` of the server block may hold."""


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each `if` that lets the request go on without try_files."""
    for server in inspection.servers:
        for scope in all_locations(server):
            for condition in scope.own.get("if", ()) if "try_files" in scope.own else ():
                inner = Scope(scope.tree, condition, scope)
                if not _ends_request(inner):
                    yield _dropped(server, scope, inner)


def _ends_request(inner: Scope) -> bool:
    """Whether the location's own content is never reached: an answer, or another location."""
    return "return" in inner.own or any(
        one.args[-1] in ("last", "redirect", "permanent") or one.args[1].startswith("http")
        for one in inner.own.get("rewrite", ())
        if one.args[0] in (".*", "^", "^.*", "^.*$", "^(.*)$", "^(.*)", "(.*)", "^/(.*)$", "^/")
    )


def _dropped(server: Server, scope: Scope, inner: Scope) -> RuleResult:
    condition, files = inner.directive, scope.own["try_files"][0]
    if scope.handler:
        effect = f"passes the request to {scope.handler.args[0]} without trying a file"
    else:
        effect = f"answers with a file or 404, and never with {files.args[-1]}"
    written = " ".join(condition.args)
    return error(
        f"Where {written} holds, {scope} of {server.names[0]} ignores its try_files.",
        f"{condition.place}: if {written}: nginx {effect}",
        f"{files.place}: try_files {' '.join(files.args)}; is not inherited by the if",
        fix=_fix(scope, inner),
    )


def _fix(scope: Scope, inner: Scope) -> str:
    condition = inner.directive
    place = f"{condition.place}: remove the if"
    mapped = _as_map(inner)
    if mapped:
        name, value, source = mapped
        added = f"map {source} {name} {{ {value} }}"
        header = inner.own.get("add_header")
        use = f" In {scope}: add_header {header[0].args[0]} {name};" if header else ""
        return f"{place}, and add to the http block: {added}{use}"
    if set(inner.own) <= _ONLY_IN_SERVER:
        return f"{condition.place}: move the if from {scope} into the server block."
    return f"{place}, and set what it decides by a map in the http block."


def _as_map(inner: Scope) -> tuple[str, str, str] | None:
    """Variable, lines and source of a map that does the same; None where none does."""
    words = " ".join(inner.directive.args).removeprefix("(").removesuffix(")").split()
    own = [one for several in inner.own.values() for one in several]
    if len(own) != 1 or len(words) != 3 or words[1] not in ("=", "~", "~*"):
        return None
    only: Directive = own[0]
    match = words[2].strip("\"'")
    key = match if words[1] == "=" else f"{words[1]}{match}"
    if only.name == "set":
        return only.args[0], f'"{key}" "{only.args[1]}";', words[0]
    if only.name == "add_header":
        name = "$" + only.args[0].lower().replace("-", "_")
        return name, f'"{key}" "{only.args[1]}";', words[0]
    return None


RULE = Rule(
    id="if-drops-try-files",
    summary="An `if` makes a location ignore its try_files.",
    severity="error",
    help=(
        "An if in a location is a level of its own, and try_files is not inherited: where the "
        "condition holds, visitors get a file or 404, and never the fallback. Replace the if by "
        "a map in the http block."
    ),
    reads=("configuration",),
    check=check,
)
