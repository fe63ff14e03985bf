"""The URLs that an app makes, against those that nginx answers from files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from reconcile.doctor.app_introspection.app_facts import AppFacts, TemplateLink
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import RuleResult, error, warning

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection
    from reconcile.nginx.routing.servers import Server

MAX_SHOWN = 3
_CANARY = "reconcile-canary.txt"
_UPLOADS = re.compile(r"^(/[^<>]*(?:media|upload|attachment|avatar|files?)[^<>]*/)<[^<>]+>$", re.I)


def mismatches(snapshot: HostInspection, server: Server, facts: AppFacts) -> Iterator[RuleResult]:
    """What of the app's URLs ends up elsewhere than its files."""
    name = server.names[0] if server.names else ""
    for setting, url, role in (
        ("static_url_path", facts.static_url, "static"),
        ("MEDIA_URL", facts.media_url, "media"),
    ):
        served = _served_locations(snapshot, server, role)
        if url and url.startswith("/") and served and _is_passed(snapshot, server, url):
            yield error(
                f"The app's {role} files are at {url.rstrip('/')}/, nginx serves"
                f" {served[0].prefix}.",
                f"the app: {setting} = {url}",
                f"{served[0].place}: {served[0].scope}",
                fix=f"Set {setting} to {served[0].prefix.rstrip('/')}, or serve the location"
                f" {url.rstrip('/')}/.",
            )
    lost = [link for link in facts.links if _is_broken(snapshot, server, link, facts)]
    if lost:
        yield _broken_links_error(name, lost, snapshot, server)
    yield from _uploads(snapshot, server, facts)
    yield from _blueprints(snapshot, server, facts)


def _is_broken(
    snapshot: HostInspection, server: Server, link: TemplateLink, facts: AppFacts
) -> bool:
    # What lies below the static URL is one finding, not one for each file.
    below = facts.static_url and link.url.startswith(f"{facts.static_url}/")
    return not link.routed and not below and _is_passed(snapshot, server, link.url)


def _broken_links_error(
    name: str, lost: list[TemplateLink], snapshot: HostInspection, server: Server
) -> RuleResult:
    prefixes = [one.prefix for one in snapshot.mappings if one.server is server]
    return error(
        f"Templates of {name} name {len(lost)} URLs that neither nginx nor the app answers.",
        *(f"{link.place}: {link.url}" for link in lost[:MAX_SHOWN]),
        f"{server.place}: nginx serves {', '.join(prefixes) or 'no files'}",
        fix="Make the URLs in the templates and the location in nginx the same.",
    )


def _uploads(snapshot: HostInspection, server: Server, facts: AppFacts) -> Iterator[RuleResult]:
    """The app hands out uploads by itself, under another URL than nginx does."""
    media = _served_locations(snapshot, server, "media")
    for rule, endpoint in facts.routes if media else ():
        found = _UPLOADS.match(rule)
        if found and endpoint != "static" and _is_passed(snapshot, server, found[1]):
            yield warning(
                f"The app itself serves {found[1]}, nginx serves {media[0].prefix}.",
                f"the app: the route {rule} ({endpoint})",
                f"{media[0].place}: {media[0].scope}",
                fix=f"Let the app's pages name {media[0].prefix}, or make the location {found[1]}.",
            )


def _blueprints(snapshot: HostInspection, server: Server, facts: AppFacts) -> Iterator[RuleResult]:
    """Blueprints with static files of their own, on a server that has the app's by nginx."""
    served = _served_locations(snapshot, server, "static")
    for rule, endpoint in facts.routes if served else ():
        prefix = rule.partition("<")[0]
        if endpoint.endswith(".static") and _is_passed(snapshot, server, prefix):
            yield warning(
                f"The app itself serves {prefix}, nginx serves {served[0].prefix} alone.",
                f"the app: the route {rule} ({endpoint})",
                f"{served[0].place}: {served[0].scope}",
                fix=f"Make a location ^~ {prefix} with the blueprint's static folder as alias.",
            )


def _served_locations(snapshot: HostInspection, server: Server, role: str) -> list[LocationMapping]:
    return [
        one for one in snapshot.mappings_of(role) if one.server is server and not one.is_internal
    ]


def _is_passed(snapshot: HostInspection, server: Server, url: str) -> bool:
    """Whether nginx hands `url`, or a file below it, on to the app."""
    uri = url if "." in url.rpartition("/")[2] else f"{url.rstrip('/')}/{_CANARY}"
    route = snapshot.nginx.route(server, uri, prefers_tls=True)
    return route is not None and route.answer.kind == "pass"
