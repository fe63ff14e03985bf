"""An `add_header` in a location replaces all of those that it would inherit."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.file_locations import is_for_files
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import all_locations
from reconcile.doctor.rule import Rule, RuleResult, note, warning
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.routing.headers import AddedHeader, added_headers
from reconcile.nginx.routing.servers import Server

_PERMITS = {
    *("access-control-allow-origin", "cross-origin-embedder-policy"),
    *("cross-origin-opener-policy", "cross-origin-resource-policy"),
}
_MATTER = {
    *_PERMITS,
    *("strict-transport-security", "x-content-type-options", "content-security-policy"),
    *("x-frame-options", "referrer-policy", "permissions-policy"),
}


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a warning for each location, or condition in it, that drops a header."""
    for server in inspection.servers:
        for scope in _levels(server):
            lost = _lost_headers(scope)
            if lost:
                # An if gives no sign that it is a level; what only protects pages, files may lack.
                is_files = scope.directive.name == "location" and is_for_files(scope)
                is_minor = is_files and not any(map(_breaks_pages, lost))
                severity = note if is_minor else warning
                yield severity(
                    f"{scope} of {server.names[0]} responds without"
                    f" {', '.join(header.name for header in lost)}.",
                    *(f"{one.place}: add_header {one.name}, not inherited" for one in lost),
                    f"{scope.own['add_header'][0].place}: the {scope.directive.name} has an"
                    " add_header of its own",
                    fix=f"{scope.directive.place}: add {_add_headers(lost)} inside it,"
                    " then reload nginx.",
                )


def _levels(server: Server) -> Iterator[Scope]:
    """The locations and the conditions in them, which are levels too."""
    for scope in all_locations(server):
        yield scope
        yield from (Scope(scope.tree, inner, scope) for inner in scope.own.get("if", ()))


def _add_headers(headers: list[AddedHeader]) -> str:
    return " ".join(map(_add_header, headers))


def _add_header(header: AddedHeader) -> str:
    value = header.value.replace("\\", "\\\\").replace('"', '\\"')
    return f'add_header {header.name} "{value}"{" always" * header.always};'


def _breaks_pages(header: AddedHeader) -> bool:
    """Whether browsers refuse a response without it; others only protect."""
    return header.name.lower() in _PERMITS


def _lost_headers(scope: Scope) -> list[AddedHeader]:
    if "add_header" not in scope.own or scope.parent is None or "return" in scope.own:
        return []
    kept = {header.name.lower() for header in added_headers(scope)}
    return [
        header for header in added_headers(scope.parent) if header.name.lower() in _MATTER - kept
    ]


RULE = Rule(
    id="header-loss",
    summary="A location or an if drops security headers of its server.",
    severity="warning",
    help=(
        "add_header is inherited only where a level has none of its own; an if in a location is "
        "such a level too. Repeat the headers there, or include them from one file."
    ),
    reads=("configuration",),
    yaml_key="headers",
    check=check,
)
