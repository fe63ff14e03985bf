"""limit_req or limit_conn of a server counts each stylesheet and image of a page too."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, error
from reconcile.doctor.served_files import visible_files
from reconcile.nginx.model.config_tree import ConfigTree, Directive, named

PAGE_FILES = 30
"""Files that an ordinary page loads at once."""
CONNECTIONS = 6
"""Connections that a browser opens to a server; with HTTP/2 each request counts as one."""
_RATE = re.compile(r"rate=(\d+)r/([sm])")
_PER_VISITOR = re.compile(r"^\$(?:binary_remote_addr|remote_addr|realip_remote_addr|server_name)$")


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each limit of a static location that a page with its files exceeds."""
    for mapping in inspection.mappings_of("static"):
        if len(visible_files(inspection, mapping)) > 1:
            yield from _requests(inspection, mapping)
            yield from _connections(inspection, mapping)


def _requests(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    scope = mapping.scope
    if scope.argument("limit_req_dry_run", "off") == "on":
        return
    for limit in scope.inherited("limit_req"):
        zone = _zone(inspection.nginx.tree, "limit_req_zone", _option(limit, "zone"))
        rate = _RATE.search(" ".join(zone.args)) if zone else None
        if zone is None or rate is None or not _PER_VISITOR.match(zone.args[0]):
            continue
        per_second = int(rate[1]) / (60 if rate[2] == "m" else 1)
        burst = int(_option(limit, "burst") or 0)
        if burst + per_second < PAGE_FILES:
            status = scope.argument("limit_req_status", "503")
            yield _too_low(
                inspection,
                mapping,
                limit,
                zone,
                f"a page that loads more than {burst + 1} files at once gets {status} for the rest",
            )


def _connections(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    scope = mapping.scope
    if scope.argument("limit_conn_dry_run", "off") == "on":
        return
    is_multiplexed = scope.argument("http2", "off") == "on" or any(
        "http2" in listen.args for listen in mapping.server.scope.own.get("listen", ())
    )
    least = PAGE_FILES if is_multiplexed else CONNECTIONS
    for limit in scope.inherited("limit_conn"):
        zone = _zone(inspection.nginx.tree, "limit_conn_zone", limit.args[0])
        number = int(limit.args[1]) if limit.args[1].isdigit() else least
        if zone and number < least and _PER_VISITOR.match(zone.args[0]):
            status = scope.argument("limit_conn_status", "503")
            kind = "requests over HTTP/2" if is_multiplexed else "connections"
            effect = f"a browser needs {least} {kind} at once, and gets {status} for the rest"
            yield _too_low(inspection, mapping, limit, zone, effect)


def _too_low(
    inspection: HostInspection,
    mapping: LocationMapping,
    limit: Directive,
    zone: Directive,
    effect: str,
) -> RuleResult:
    written = f"{limit.name} {' '.join(limit.args)};"
    is_own = limit in mapping.scope.own.get(limit.name, ())
    places = [
        one.scope.directive.place
        for one in inspection.proxy_locations
        if one.server is mapping.server and limit not in one.scope.own.get(limit.name, ())
    ]
    move = f", and add it to the app's location ({', '.join(places)})" if places else ""
    return error(
        f"{mapping} rejects some files of a page: {limit.name} counts each of them.",
        f"{limit.place}: {written}",
        f"{zone.place}: {zone.name} {' '.join(zone.args)};",
        effect,
        fix=f"{limit.place}: remove {written[:-1]}{'' if is_own else move}; then reload nginx.",
    )


def _zone(tree: ConfigTree, directive: str, name: str) -> Directive | None:
    for http in named(tree.directives, "http"):
        for zone in named(tree.children(http), directive):
            if any(arg.partition(":")[0] == f"zone={name}" for arg in zone.args):
                return zone
    return None


def _option(directive: Directive, name: str) -> str:
    values = (arg.partition("=") for arg in directive.args)
    return next((value for key, _, value in values if key == name), "")


RULE = Rule(
    id="asset-limits",
    summary="A request or connection limit rejects some files of a page.",
    severity="error",
    help=(
        "A limit of the server counts each stylesheet and image, so a page loads only in part. Move"
        " it into the location of the app."
    ),
    reads=("configuration", "files"),
    check=check,
)
