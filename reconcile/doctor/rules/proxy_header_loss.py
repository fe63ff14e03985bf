"""A proxy_set_header in a location replaces all of those that it would inherit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error, warning
from reconcile.doctor.upstream import ProxyLocation
from reconcile.nginx.model.config_tree import Directive

_DIRECTIVES: Mapping[str, str] = {
    "proxy_pass": "proxy_set_header",
    "grpc_pass": "grpc_set_header",
    "uwsgi_pass": "uwsgi_param",
    "fastcgi_pass": "fastcgi_param",
    "scgi_pass": "scgi_param",
}
"""What passes a request on → what sets a header, or parameter, of that request."""
_ESSENTIAL = {"host", "x-forwarded-proto", "request_method", "path_info", "query_string"}
_MAX_LINES = 8


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a finding for each location that drops what the app needs to know of a request."""
    for proxy in inspection.proxy_locations:
        lost = _lost(proxy)
        if lost:
            yield _dropped(proxy, lost)


def _lost(proxy: ProxyLocation) -> list[Directive]:
    """The inherited directives that the location's own ones replace, and does not repeat."""
    name = _DIRECTIVES.get(proxy.directive.name, "")
    own = proxy.scope.own.get(name, ())
    if not own or proxy.scope.parent is None:
        return []
    kept = {one.args[0].lower() for one in own}
    inherited = proxy.scope.parent.inherited(name)
    return [one for one in inherited if one.args[0].lower() not in kept]


def _dropped(proxy: ProxyLocation, lost: list[Directive]) -> RuleResult:
    own = proxy.scope.own[lost[0].name][0]
    names = [one.args[0] for one in lost]
    is_essential = not _ESSENTIAL.isdisjoint(name.lower() for name in names)
    effects = list(_effects(proxy, {name.lower() for name in names}))
    lines = " ".join(map(_directive_text, lost))
    return (error if is_essential else warning)(
        f"{proxy.scope} of {proxy.server.names[0]} sends the app no {', '.join(names)}.",
        f"{own.place}: {own.name} {own.args[0]} replaces all that {proxy.scope} would inherit",
        *(f"{one.place}: {_directive_text(one)} is not inherited" for one in lost[:_MAX_LINES]),
        *effects,
        fix=f"{own.place}: add beside it: {lines} then reload nginx.",
    )


def _effects(proxy: ProxyLocation, names: set[str]) -> Iterator[str]:
    if "host" in names and proxy.directive.name == "proxy_pass":
        target = proxy.directive.args[0].partition("://")[2].partition("/")[0]
        yield f"the app uses {target or proxy.directive.args[0]} as its own name"
    if "x-forwarded-proto" in names:
        yield "the app treats each request as plain http: redirects, cookies and CSRF checks fail"


def _directive_text(directive: Directive) -> str:
    args = " ".join(f'"{arg}"' if not arg or " " in arg else arg for arg in directive.args)
    return f"{directive.name} {args};"


RULE = Rule(
    id="proxy-header-loss",
    summary="A location drops the headers that describe the request to the app.",
    severity="error",
    help=(
        "proxy_set_header and uwsgi_param are inherited only where a location has none of its own."
        " The app then uses 127.0.0.1 as its name, http as its scheme, and sees nginx as the only"
        " visitor. Repeat the lines in the location."
    ),
    reads=("configuration",),
    check=check,
)
