"""Uploads that nginx refuses for their size."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import is_managed_server
from reconcile.doctor.rule import Rule, RuleResult, error, note, warning
from reconcile.doctor.upstream import ProxyLocation
from reconcile.nginx.model.sizes import body_limit

_TOO_LARGE = re.compile(r"client intended to send too large body: (\d+) bytes")
_SERVER = re.compile(r", server: ([^,]+),")


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    served = {id(one.server) for one in inspection.mappings_of("media")}
    for proxy in inspection.proxy_locations:
        limit = body_limit(proxy.scope)
        said = inspection.declared_app(proxy.server)
        if said and said.max_upload and 0 < limit < said.max_upload:
            yield error(
                f"nginx takes {limit} bytes at most, the YAML wants {said.max_upload}.",
                f"{proxy.scope.directive.place}: {proxy.scope}",
                f"{said.place}: max_upload",
                fix="reconcile apply",
                by_apply=is_managed_server(proxy.server),
            )
        elif (most := _of_the_app(inspection, proxy)) and 0 < limit < most:
            yield warning(
                f"The app takes {most} bytes, nginx refuses all above {limit} (413).",
                f"the app: MAX_CONTENT_LENGTH = {most}",
                f"{proxy.scope.directive.place}: client_max_body_size is {limit} bytes",
                fix=f"{proxy.server.place}: client_max_body_size {most}; in the YAML"
                f" max_upload: {-(-most // 2**20)}MB",
            )
        elif refused := _refused(inspection, proxy, limit):
            yield refused
        elif id(proxy.server) in served and not proxy.scope.inherited("client_max_body_size"):
            yield note(
                f"Uploads to {proxy.server.names[0]} over 1 MB are answered 413.",
                f"{proxy.server.place}: no client_max_body_size",
                fix=f"{proxy.server.place}: client_max_body_size 20m; where larger ones are"
                " wanted.",
            )


def _of_the_app(inspection: HostInspection, proxy: ProxyLocation) -> int | None:
    facts = inspection.app_facts(proxy.server)
    return facts.most_bytes if facts else None


def _refused(inspection: HostInspection, proxy: ProxyLocation, limit: int) -> RuleResult | None:
    """The last upload in the log that was too large, and would be again."""
    for line in reversed(inspection.error_lines):
        size, server = _TOO_LARGE.search(line.said), _SERVER.search(line.said)
        if size and server and server[1] in proxy.server.names and 0 < limit < int(size[1]):
            return warning(
                f"nginx refused an upload of {size[1]} bytes to {server[1]} (413).",
                str(line),
                f"{proxy.scope.directive.place}: client_max_body_size is {limit} bytes",
                fix=f"{proxy.server.place}: client_max_body_size {int(size[1]) // 2**20 + 1}m;",
            )
    return None


RULE = Rule("body-limit", (), check)
