"""`client_max_body_size` is 1 MB by default: nginx rejects larger uploads with 413."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import is_managed_server
from reconcile.doctor.nginx_readings import TOO_LARGE
from reconcile.doctor.rule import Rule, RuleResult, error, note, warning
from reconcile.doctor.upstream import ProxyLocation
from reconcile.nginx.model.sizes import body_limit

_TOO_LARGE = re.compile(TOO_LARGE + r": (\d+) bytes")
_REFERRER = re.compile(r', referrer: "https?://([^/:"]+)')
_SERVER = re.compile(r", server: ([^,]+),")


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Compare the limit of each location that passes requests on with what should be accepted."""
    with_media = {one.server for one in inspection.mappings_of("media")}
    for proxy in inspection.proxy_locations:
        found = _limit_too_low(inspection, proxy) or _rejected_upload(inspection, proxy)
        if found:
            yield found
        elif proxy.server in with_media and not proxy.scope.inherited("client_max_body_size"):
            yield _default_limit(proxy)


def _limit_too_low(inspection: HostInspection, proxy: ProxyLocation) -> RuleResult | None:
    """The limit is below what the YAML declares, or what the app accepts."""
    limit, declared = body_limit(proxy.scope), inspection.declared_app(proxy.server)
    if declared and declared.max_upload and 0 < limit < declared.max_upload:
        return error(
            f"nginx accepts at most {limit} bytes, but the YAML declares {declared.max_upload}.",
            f"{proxy.scope.directive.place}: {proxy.scope}",
            f"{declared.place}: max_upload",
            fix="reconcile apply",
            apply_fixes=is_managed_server(proxy.server),
        )
    facts = inspection.app_facts(proxy.server)
    if facts and facts.most_bytes and 0 < limit < facts.most_bytes:
        return warning(
            f"The app accepts {facts.most_bytes} bytes, but nginx rejects more than {limit} (413).",
            f"the app: MAX_CONTENT_LENGTH = {facts.most_bytes}",
            f"{proxy.scope.directive.place}: client_max_body_size is {limit} bytes",
            fix=f"{proxy.server.place}: client_max_body_size {facts.most_bytes}; in the YAML"
            f" max_upload: {-(-facts.most_bytes // 2**20)}MB",
        )
    return None


def _rejected_upload(inspection: HostInspection, proxy: ProxyLocation) -> RuleResult | None:
    """The last upload in the log that was too large, and would be again."""
    limit = body_limit(proxy.scope)
    for line in inspection.nginx.rejected_uploads:
        size, server = _TOO_LARGE.search(line.message), _SERVER.search(line.message)
        if size and server and server[1] in proxy.server.names and 0 < limit < int(size[1]):
            return warning(
                f"nginx rejected an upload of {size[1]} bytes to {server[1]} (413).",
                str(line),
                f"{proxy.scope.directive.place}: client_max_body_size is {limit} bytes",
                *_as_cors(proxy, line.message),
                fix=f"{proxy.server.place}: client_max_body_size {int(size[1]) // 2**20 + 1}m;",
            )
    return None


def _as_cors(proxy: ProxyLocation, message: str) -> tuple[str, ...]:
    """What a browser shows in place of the 413, where the page is another site's."""
    page = _REFERRER.search(message)
    if page is None or page[1] in proxy.server.names:
        return ()
    return (
        f"the page is {page[1]}'s: its browser reports CORS, for nginx's own 413 has no"
        " Access-Control-Allow-Origin",
    )


def _default_limit(proxy: ProxyLocation) -> RuleResult:
    return note(
        f"nginx rejects uploads to {proxy.server.names[0]} over 1 MB (413).",
        f"{proxy.server.place}: no client_max_body_size",
        fix=f"{proxy.server.place}: client_max_body_size 20m; if larger uploads are expected.",
    )


RULE = Rule(
    id="body-limit",
    summary="nginx rejects uploads for their size that should be accepted.",
    severity="error",
    help=(
        "nginx rejects a larger body with 413 before the app sees it; its default is 1 "
        "MB. Raise client_max_body_size to what the app accepts."
    ),
    reads=("configuration", "app", "logs"),
    yaml_key="max_upload",
    check=check,
)
