"""An uploaded HTML or SVG file that nginx sends as such runs scripts on the site's own origin."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, check_each, note
from reconcile.nginx.routing.headers import content_type, sent_headers, values_of
from reconcile.nginx.routing.route import Route

_ACTIVE = {"html": "text/html", "svg": "image/svg+xml"}
_SAFE_HEADERS = (("Content-Security-Policy", "sandbox"), ("Content-Disposition", "attachment"))


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a note for each media location that sends active content."""
    return check_each(inspection.mappings_of("media"), partial(_check_location, inspection))


def _check_location(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    active = [suffix for suffix in _ACTIVE if _is_active(inspection, mapping, suffix)]
    if active:
        yield note(
            f"An uploaded {' or '.join(f'.{suffix}' for suffix in active)} file below"
            f" {mapping.prefix} runs as a page of {mapping.server.names[0]}.",
            f"{mapping.place}: {mapping.prefix}x.{active[0]} is sent as {_ACTIVE[active[0]]}",
            fix=f"{mapping.scope.directive.place}: remove these from types, set default_type"
            " application/octet-stream; and add_header Content-Security-Policy"
            " \"sandbox; default-src 'none'\" always;",
            apply_fixes=mapping.is_restored_by_apply,
        )


def _is_active(inspection: HostInspection, mapping: LocationMapping, suffix: str) -> bool:
    name = f"reconcile-canary.{suffix}"
    route = inspection.nginx.route_to_file(mapping, name)
    if route is None or route.answer.kind != "file" or route.scope is None:
        return False
    kind = content_type(route.scope, mapping.folder + name).partition(";")[0]
    return kind == _ACTIVE[suffix] and not _has_safe_header(route)


def _has_safe_header(route: Route) -> bool:
    sent = sent_headers(route)
    return any(
        value is not None and word in value.lower()
        for header, word in _SAFE_HEADERS
        for value in values_of(sent, header)
    )


RULE = Rule(
    id="active-uploads",
    summary="Uploaded HTML or SVG files run as pages of the site.",
    severity="note",
    help=(
        "An uploaded page runs scripts with the rights of the visitor who opens it. Send "
        "uploads as downloads, or sandboxed."
    ),
    reads=("configuration",),
    yaml_key="locations",
    check=check,
)
