"""nginx strips the prefix of an app, and the app's links and redirects lead out of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from reconcile.doctor.front_page_links import linked_files
from reconcile.doctor.http_requests import reachable_listens, send_request
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error, note, warning
from reconcile.doctor.upstream import ProxyLocation
from reconcile.nginx.model.latin1 import from_raw
from reconcile.nginx.model.listen import Listen
from reconcile.system.http import HttpAnswer

_ANNOUNCING = {"x-forwarded-prefix", "x-script-name", "script_name", "x-forwarded-path"}
_REDIRECTS = (301, 302, 303, 307, 308)
_WITH_PATH = re.compile(r"^https?://(?:unix:[^:$]+:|[^/$:]+(?::\d+)?)/[^$]*$")
"""A proxy_pass with a path, which takes the place of the location's prefix."""
_PATH = re.compile(r"^https?://(?:unix:[^:]+:|[^/]+)")
_MAX_LINKS = 10


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each app below a prefix whose start page leads out of it, else a note."""
    for proxy in inspection.proxy_locations:
        yield from _check_slashes(proxy)
        prefix = _stripped_prefix(proxy)
        listens = reachable_listens(inspection, proxy.server)[:1] if prefix else ()
        for listen in listens:
            page = send_request(inspection, proxy.server, listen, prefix)
            lost = list(_leading_out(inspection, proxy, prefix, listen, page))
            if lost:
                yield _lost(proxy, prefix, lost)
            elif page.error and not _announces(proxy):
                yield _unannounced(proxy, prefix)


def _check_slashes(proxy: ProxyLocation) -> Iterator[RuleResult]:
    """Of location and path just one ends with a slash: nginx puts the rest behind as it is."""
    scope, target = proxy.scope, proxy.directive.args[0]
    prefix = from_raw(scope.name)
    is_prefix = scope.modifier in ("", "^~") and prefix != "/"
    if proxy.directive.name != "proxy_pass" or not is_prefix or not _WITH_PATH.match(target):
        return
    path = _PATH.sub("", target)
    rest = "x" if prefix.endswith("/") else "/x"
    if prefix.endswith("/") and not path.endswith("/") and "?" not in path:
        severity, fix = error, f"{proxy.place}: proxy_pass {target}/;"
    elif not prefix.endswith("/") and path == "/":
        severity, fix = warning, f"{scope.directive.place}: location {prefix}/ {{ … }},"
    else:
        return
    yield severity(
        f"The app behind {scope} of {proxy.server.names[0]} gets {path}{rest} for {prefix}{rest}.",
        proxy.evidence,
        f"{scope.directive.place}: {scope}",
        fix=f"{fix} then reload nginx. End both with a slash.",
    )


def _stripped_prefix(proxy: ProxyLocation) -> str:
    """The prefix that the app does not get, with its slash; "" where it gets the whole path."""
    scope, target = proxy.scope, proxy.directive.args[0]
    prefix = from_raw(scope.name)
    is_folder = scope.modifier in ("", "^~") and prefix.endswith("/") and prefix != "/"
    is_stripped = proxy.directive.name == "proxy_pass" and _WITH_PATH.match(target)
    return prefix if is_folder and is_stripped else ""


def _announces(proxy: ProxyLocation) -> bool:
    headers = proxy.scope.inherited("proxy_set_header")
    return any(one.args[0].lower() in _ANNOUNCING for one in headers)


def _leading_out(
    inspection: HostInspection,
    proxy: ProxyLocation,
    prefix: str,
    listen: Listen,
    page: HttpAnswer,
) -> Iterator[str]:
    host = inspection.nginx.requests.visitor_host(proxy.server, listen)
    if page.status in _REDIRECTS:
        target = urlsplit("".join(page.values("Location")))
        is_own = target.netloc in ("", host) and target.path.startswith("/")
        if is_own and not f"{target.path}/".startswith(prefix):
            yield f"GET {prefix}: {page.status} to {target.path}"
        return
    for link in linked_files(page.body, prefix, host)[:_MAX_LINKS] if page.status == 200 else ():
        if not link.startswith(prefix):
            answer = send_request(inspection, proxy.server, listen, link)
            if answer.status in (404, 410):
                yield f"GET {prefix} links to {link}: {answer.status}"


def _lost(proxy: ProxyLocation, prefix: str, lost: list[str]) -> RuleResult:
    return error(
        f"The app below {prefix} of {proxy.server.names[0]} sends visitors to URLs outside of it.",
        *lost[:3],
        f"{proxy.evidence} strips {prefix}",
        fix=_fix(proxy, prefix),
    )


def _unannounced(proxy: ProxyLocation, prefix: str) -> RuleResult:
    return note(
        f"The app below {prefix} of {proxy.server.names[0]} does not know its prefix.",
        f"{proxy.evidence} strips {prefix}, and no X-Forwarded-Prefix names it",
        fix=_fix(proxy, prefix),
    )


def _fix(proxy: ProxyLocation, prefix: str) -> str:
    name = prefix.rstrip("/")
    header = "" if _announces(proxy) else f"{proxy.place}: add beside it: {_header(name)} "
    return (
        f"{header}and in the app, Flask: app.wsgi_app = ProxyFix(app.wsgi_app, x_prefix=1); Django:"
        f' FORCE_SCRIPT_NAME = "{name}"'
    )


def _header(prefix: str) -> str:
    return f"proxy_set_header X-Forwarded-Prefix {prefix};"


RULE = Rule(
    id="lost-prefix",
    summary="An app below a prefix sends visitors to URLs outside of it.",
    severity="error",
    help=(
        "A proxy_pass with a path strips the prefix, and an app that does not know it creates links"
        " and redirects without it. Pass the prefix on, and let the app use it."
    ),
    reads=("configuration", "requests"),
    check=check,
)
