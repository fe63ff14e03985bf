"""Uploaded HTML and SVG run as the site's own pages."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, check_each, warning
from reconcile.nginx.routing.headers import content_type, sent_headers, values_of
from reconcile.nginx.routing.route import Route

_ACTIVE = {"html": "text/html", "svg": "image/svg+xml"}
_TAMED = (("Content-Security-Policy", "sandbox"), ("Content-Disposition", "attachment"))


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    return check_each(inspection.mappings_of("media"), partial(_active, inspection))


def _active(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    runs = [ending for ending in _ACTIVE if _runs(inspection, mapping, ending)]
    if runs:
        yield warning(
            f"An uploaded {' or '.join(f'.{ending}' for ending in runs)} file below"
            f" {mapping.prefix} runs as a page of {mapping.server.names[0]}.",
            f"{mapping.place}: {mapping.prefix}x.{runs[0]} is sent as {_ACTIVE[runs[0]]}",
            fix=f"{mapping.scope.directive.place}: a types list without them, default_type"
            " application/octet-stream; add_header Content-Security-Policy"
            " \"sandbox; default-src 'none'\" always;",
            by_apply=mapping.is_restored_by_apply,
        )


def _runs(inspection: HostInspection, mapping: LocationMapping, ending: str) -> bool:
    if mapping.is_internal or not mapping.prefix.endswith("/"):
        return False
    name = f"reconcile-canary.{ending}"
    disk = inspection.disk_with(mapping.folder + name)
    route = inspection.route(mapping.server, mapping.prefix + name, disk, mapping.host)
    if route is None or route.answer.kind != "file" or route.scope is None:
        return False
    kind = content_type(route.scope, mapping.folder + name).partition(";")[0]
    return kind == _ACTIVE[ending] and not _is_tamed(route)


def _is_tamed(route: Route) -> bool:
    sent = sent_headers(route)
    return any(
        value is not None and word in value.lower()
        for header, word in _TAMED
        for value in values_of(sent, header)
    )


RULE = Rule("active-uploads", (), check)
