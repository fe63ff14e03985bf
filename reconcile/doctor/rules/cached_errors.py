"""Errors that browsers and CDNs keep: `always` on Cache-Control, or a fallback that is 200."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, check_each, warning
from reconcile.doctor.upstream import ProxyLocation
from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.model.sizes import parse_seconds
from reconcile.nginx.routing.headers import SentHeader, added_headers, sent_headers
from reconcile.nginx.routing.route import Route

ACCEPTABLE_S = 60
_MISSING = ("reconcile-missing-canary.js", "reconcile-missing-canary.css")
_MAX_AGE = re.compile(r"(?:max-age|s-maxage)=(\d+)")


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Request a name that no location has, and read what the answer would let others keep."""
    yield from check_each(
        inspection.mappings_of("static", "media"), partial(_check_location, inspection)
    )
    for proxy in inspection.proxy_locations:
        yield from _kept_by_nginx(proxy)


def _check_location(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    if mapping.is_internal or not mapping.prefix.endswith("/"):
        return
    for name in _MISSING:
        uri = mapping.prefix + name
        route = inspection.nginx.route(mapping.server, uri, host=mapping.host)
        kept = _kept_header(route, mapping) if route else None
        if route and kept:
            yield _cached(mapping, uri, route, kept)
            return


def _kept_header(route: Route, mapping: LocationMapping) -> SentHeader | None:
    """The header that lets others keep the answer for a file that does not exist."""
    kind = route.answer.kind
    if kind == "pass" and route.scope is not None:
        always = [one for one in added_headers(route.scope) if one.always]
        sent = [SentHeader(one.name, route.expanded(one.value), one.place) for one in always]
    elif kind == "error" or (kind == "file" and route.answer.path != mapping.folder + route.path):
        sent = list(sent_headers(route))
    else:
        return None
    return next((one for one in sent if is_kept(one)), None)


def is_kept(header: SentHeader) -> bool:
    """Whether a header lets caches keep an answer for longer than a deployment takes."""
    value = (header.value or "").lower()
    if header.name.lower() != "cache-control" or "no-store" in value or "no-cache" in value:
        return False
    ages = [int(age) for age in _MAX_AGE.findall(value)]
    return "immutable" in value or max(ages, default=0) > ACCEPTABLE_S


def _cached(mapping: LocationMapping, uri: str, route: Route, header: SentHeader) -> RuleResult:
    answer = route.answer
    evidence = f"{header.place}: {header.name}: {header.value}"
    if answer.kind == "file":
        return warning(
            f"A missing file of {mapping} is answered with {answer.path}, which browsers cache.",
            f"GET {uri}: {answer.status or 200}, {answer.path}",
            evidence,
            fix=f"{mapping.scope.directive.place}: end its try_files with =404; then reload nginx.",
        )
    what = "the app's errors" if answer.kind == "pass" else f"{answer.status}"
    status = answer.status or "the app decides"
    return warning(
        f"Errors of {mapping} are cached by browsers and CDNs: {what} with {header.value}.",
        f"GET {uri}: {status}",
        f"{evidence} always",
        fix=f"{header.place}: remove `always` from this line, then reload nginx.",
        apply_fixes=mapping.is_restored_by_apply,
    )


def _kept_by_nginx(proxy: ProxyLocation) -> Iterator[RuleResult]:
    """proxy_cache_valid for errors: one failure of the app is repeated to every visitor."""
    if proxy.scope.argument("proxy_cache", "off") == "off":
        return
    for line in proxy.scope.inherited("proxy_cache_valid"):
        statuses, seconds = line.args[:-1], parse_seconds(line.args[-1]) or 0
        failing = [status for status in statuses if status == "any" or status[0] in "45"]
        if failing and seconds > ACCEPTABLE_S:
            yield warning(
                f"nginx caches errors of the app for {line.args[-1]} ({', '.join(failing)}).",
                _quote_directive(line),
                proxy.evidence,
                fix=f"{line.place}: {_shorter(line, failing)} in place of it, then reload nginx.",
            )


def _shorter(line: Directive, failing: list[str]) -> str:
    """The same directive, with a short time for what fails."""
    others = [status for status in line.args[:-1] if status not in failing]
    kept = f"proxy_cache_valid {' '.join((*others, line.args[-1]))}; " if others else ""
    return f"{kept}proxy_cache_valid {' '.join(failing)} 10s;"


def _quote_directive(line: Directive) -> str:
    return f"{line.place}: {line.name} {' '.join(line.args)};"


RULE = Rule(
    id="cached-errors",
    summary="Browsers, CDNs or nginx cache the response for a file that was briefly missing.",
    severity="warning",
    help=(
        "One request during a deployment is enough: its visitor has a broken page for as long as"
        " Cache-Control allows. Send caching headers with successful responses only."
    ),
    reads=("configuration", "files"),
    check=check,
)
