"""The app's pages link to files at URLs that neither nginx nor the app serves."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from reconcile.doctor.app_introspection.app_urls import mismatches
from reconcile.doctor.http_requests import send_request, tcp_listens
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.lost_requests import links_of_front_page
from reconcile.doctor.rule import Rule, RuleResult, check_each, error
from reconcile.nginx.routing.servers import Server
from reconcile.wording import counted


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Compare the app's URLs with the locations of nginx, and follow its start page's links."""
    servers = dict.fromkeys(one.server for one in inspection.proxy_locations)
    return check_each(servers, partial(_check_server, inspection))


def _check_server(inspection: HostInspection, server: Server) -> Iterator[RuleResult]:
    if facts := inspection.app_facts(server):
        yield from mismatches(inspection, server, facts)
    broken = list(_broken_links(inspection, server))
    if broken:
        prefixes = [one.prefix for one in inspection.mappings if one.server is server]
        yield error(
            f"The start page of {server.names[0]} links to {counted(len(broken), 'file')}"
            " that cannot be found.",
            *(f"GET {link}: {status}" for link, status in broken[:3]),
            f"{server.place}: nginx serves {', '.join(prefixes) or 'no location with files'}",
            fix="Use the same URL path in the app (static_url_path, the upload route) and in"
            " nginx's location.",
        )


def _broken_links(inspection: HostInspection, server: Server) -> Iterator[tuple[str, int]]:
    for link in links_of_front_page(inspection, server):
        answer = send_request(inspection, server, tcp_listens(server)[0], link)
        if answer.error:
            # A server that hangs once would hang for each link.
            return
        if answer.status in (404, 410):
            yield link, answer.status


RULE = Rule(
    id="url-mismatch",
    summary="The app's pages link to files that nothing serves.",
    severity="error",
    help=(
        "Browsers request files at URLs that nothing answers. Use the same URL path in "
        "the app and in nginx."
    ),
    reads=("configuration", "app", "requests"),
    guide_rows=("CC7", "DB7", "DB15"),
    check=check,
)
