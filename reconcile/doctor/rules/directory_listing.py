"""autoindex lists what was uploaded: who has one URL has them all."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, check_each, note, warning
from reconcile.nginx.routing.servers import Server

_UPLOADS = frozenset({"media", "uploads", "upload", "files"})


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a warning for each folder of uploads that is listed, a note for static files."""
    yield from check_each(inspection.mappings_of("media", "static"), partial(_check, inspection))
    yield from check_each(inspection.servers, partial(_check_root, inspection))


def _check_root(inspection: HostInspection, server: Server) -> Iterator[RuleResult]:
    """The root of a server, where what it holds was not meant as a list."""
    route = inspection.nginx.try_route(server, "/")
    if route is None or route.answer.kind != "listing" or route.scope is None:
        return
    switch, folder = route.scope.inherited("autoindex")[0], (route.answer.path or "").rstrip("/")
    found = inspection.inventory(folder)
    names = {item.path.partition("/")[0] for item in found.items} if found else set()
    uploads = sorted(names & _UPLOADS)
    yield (warning if uploads else note)(
        f"{server.names[0] or server.place} lists all of {folder} to everybody.",
        *(f"GET /{name}/: the list of the uploads" for name in uploads),
        f"{switch.place}: autoindex {switch.args[0]};",
        fix=f"{switch.place}: autoindex off; then reload nginx.",
    )


def _check(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    if mapping.is_internal or not mapping.prefix.endswith("/"):
        return
    route = inspection.nginx.route(mapping.server, mapping.prefix, host=mapping.host)
    switches = mapping.scope.inherited("autoindex")
    if route is None or route.answer.kind != "listing" or not switches:
        return
    switch = switches[0]
    is_own = switch in mapping.scope.own.get("autoindex", ())
    place = switch.place if is_own else mapping.scope.directive.place
    what = "uploads" if mapping.role == "media" else "files"
    yield (warning if mapping.role == "media" else note)(
        f"{mapping} lists all {what} to everybody.",
        f"GET {mapping.prefix}: the list of {mapping.path}",
        f"{switch.place}: autoindex {switch.args[0]};",
        fix=f"{place}: autoindex off; then reload nginx.",
    )


RULE = Rule(
    id="directory-listing",
    summary="A folder of uploads is listed to everybody.",
    severity="warning",
    help=("Names that nobody can guess protect nothing where autoindex lists them. Turn it off."),
    reads=("configuration", "files"),
    check=check,
)
