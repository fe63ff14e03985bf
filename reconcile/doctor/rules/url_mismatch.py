"""The app's pages name files at URLs where nobody has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from urllib.parse import unquote, urljoin, urlsplit

from reconcile.doctor.application.urls import mismatches
from reconcile.doctor.evidence import counted
from reconcile.doctor.http_requests import reachable_listens, send_request, tcp_listens
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, check_each, error
from reconcile.nginx.routing.servers import Server

MOST_LINKS = 20
_LINK = re.compile(
    rb"""<(?:link|script|img|source|video|audio)\b[^>]*?\s(?:href|src)\s*=\s*["']([^"'>]+)""",
    re.IGNORECASE,
)
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,5}$")


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    servers = {id(one.server): one.server for one in inspection.proxy_locations}.values()
    return check_each(servers, partial(_server, inspection))


def _server(inspection: HostInspection, server: Server) -> Iterator[RuleResult]:
    if facts := inspection.app_facts(server):
        yield from mismatches(inspection, server, facts)
    lost = list(_lost(inspection, server))
    if lost:
        prefixes = [one.prefix for one in inspection.mappings if one.server is server]
        serves = ", ".join(prefixes) or "no location with files"
        yield error(
            f"The start page of {server.names[0]} names {counted(lost, 'file')}"
            " that nobody serves.",
            *(f"GET {link}: {status}" for link, status in lost[:3]),
            f"{server.place}: nginx serves {serves}",
            fix="Make the app's URL path (static_url_path, the upload route) and the location"
            " in nginx the same.",
        )


def _links(inspection: HostInspection, server: Server) -> list[str]:
    """Paths of files of this very server that its start page loads."""
    found: dict[str, None] = {}
    for address in reachable_listens(inspection, server)[:1]:
        page = send_request(inspection, server, address, "/")
        for raw in _LINK.findall(page.body) if page.status == 200 else ():
            link = urlsplit(urljoin("http://here.invalid/", raw.decode("utf-8", "replace")))
            is_own = link.netloc in (
                "here.invalid",
                inspection.requests.visitor_host(server, address),
            )
            if is_own and _ENDING.search(unquote(link.path)):
                found[link.path] = None
    return list(found)[:MOST_LINKS]


def _lost(inspection: HostInspection, server: Server) -> Iterator[tuple[str, int]]:
    for link in _links(inspection, server):
        answer = send_request(inspection, server, tcp_listens(server)[0], link)
        if answer.error:
            # Who hangs once would hang for each of them.
            return
        if answer.status in (404, 410):
            yield link, answer.status


RULE = Rule("url-mismatch", ("CC7", "DB7", "DB15"), check)
