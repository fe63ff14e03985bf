"""Uploaded HTML and SVG run as the site's own pages."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import Mapped
from reconcile.doctor.rule import Rule, RuleResult, each, warning
from reconcile.nginx.routing.headers import content_type, sent_headers, values_of
from reconcile.nginx.routing.route import Route

_ACTIVE = {"html": "text/html", "svg": "image/svg+xml"}
_TAMED = (("Content-Security-Policy", "sandbox"), ("Content-Disposition", "attachment"))


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    return each(snapshot.of_role("media"), partial(_active, snapshot))


def _active(snapshot: HostInspection, mapped: Mapped) -> Iterator[RuleResult]:
    runs = [ending for ending in _ACTIVE if _runs(snapshot, mapped, ending)]
    if runs:
        yield warning(
            f"An uploaded {' or '.join(f'.{ending}' for ending in runs)} file below"
            f" {mapped.prefix} runs as a page of {mapped.server.names[0]}.",
            f"{mapped.place}: {mapped.prefix}x.{runs[0]} is sent as {_ACTIVE[runs[0]]}",
            fix=f"{mapped.scope.directive.place}: a types list without them, default_type"
            " application/octet-stream; add_header Content-Security-Policy"
            " \"sandbox; default-src 'none'\" always;",
            by_apply=mapped.is_restored,
        )


def _runs(snapshot: HostInspection, mapped: Mapped, ending: str) -> bool:
    if mapped.is_internal or not mapped.prefix.endswith("/"):
        return False
    name = f"reconcile-canary.{ending}"
    disk = snapshot.disk_with(mapped.folder + name)
    route = snapshot.route(mapped.server, mapped.prefix + name, disk, mapped.host)
    if route is None or route.answer.kind != "file" or route.scope is None:
        return False
    kind = content_type(route.scope, mapped.folder + name).partition(";")[0]
    return kind == _ACTIVE[ending] and not _is_tamed(route)


def _is_tamed(route: Route) -> bool:
    sent = sent_headers(route)
    return any(
        value is not None and word in value.lower()
        for header, word in _TAMED
        for value in values_of(sent, header)
    )


RULE = Rule("active-uploads", (), look)
