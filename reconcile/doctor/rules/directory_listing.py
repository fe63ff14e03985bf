"""autoindex lists what was uploaded: who has one URL has them all."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, check_each, note, warning


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a warning for each folder of uploads that is listed, a note for static files."""
    return check_each(inspection.mappings_of("media", "static"), partial(_check, inspection))


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
