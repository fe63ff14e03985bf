"""Compares the URLs that an app links to with those that nginx serves from files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from reconcile.doctor.app_introspection.app_facts import AppFacts, TemplateLink
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import RuleResult, error, warning
from reconcile.wording import counted

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection
    from reconcile.nginx.routing.servers import Server

MAX_SHOWN = 3
_CANARY = "reconcile-canary.txt"
_UPLOADS = re.compile(r"^(/[^<>]*(?:media|upload|attachment|avatar|files?)[^<>]*/)<[^<>]+>$", re.I)


def mismatches(inspection: HostInspection, server: Server, facts: AppFacts) -> Iterator[RuleResult]:
    """Yield the URLs of the app that reach something else than its files."""
    name = server.names[0] if server.names else ""
    for setting, url, role in (
        ("static_url_path", facts.static_url, "static"),
        ("MEDIA_URL", facts.media_url, "media"),
    ):
        served = _served_locations(inspection, server, role)
        if url and url.startswith("/") and served and _is_passed(inspection, server, url):
            yield error(
                f"The app's {role} files are at {url.rstrip('/')}/, but nginx serves"
                f" {served[0].prefix}.",
                f"the app: {setting} = {url}",
                f"{served[0].place}: {served[0].scope}",
                fix=f"Set {setting} to {served[0].prefix.rstrip('/')}, or add a location"
                f" {url.rstrip('/')}/.",
            )
    lost = [link for link in facts.links if _is_broken(inspection, server, link, facts)]
    if lost:
        yield _broken_links_error(name, lost, inspection, server)
    yield from _uploads(inspection, server, facts)
    yield from _blueprints(inspection, server, facts)


def _is_broken(
    inspection: HostInspection, server: Server, link: TemplateLink, facts: AppFacts
) -> bool:
    # All files below the static URL are one finding.
    below = facts.static_url and link.url.startswith(f"{facts.static_url}/")
    return not link.routed and not below and _is_passed(inspection, server, link.url)


def _broken_links_error(
    name: str, lost: list[TemplateLink], inspection: HostInspection, server: Server
) -> RuleResult:
    prefixes = [one.prefix for one in inspection.mappings if one.server is server]
    return error(
        f"Templates of {name} link to {counted(len(lost), 'URL')} that neither nginx nor the app"
        " serves.",
        *(f"{link.place}: {link.url}" for link in lost[:MAX_SHOWN]),
        f"{server.place}: nginx serves {', '.join(prefixes) or 'no files'}",
        fix="Use the same URLs in the templates and in nginx's locations.",
    )


def _uploads(inspection: HostInspection, server: Server, facts: AppFacts) -> Iterator[RuleResult]:
    """Routes by which the app serves uploads, at another URL than nginx does."""
    media = _served_locations(inspection, server, "media")
    for rule, endpoint in facts.routes if media else ():
        found = _UPLOADS.match(rule)
        if found and endpoint != "static" and _is_passed(inspection, server, found[1]):
            fix = f"Link to {media[0].prefix} in the app's pages, or add a location {found[1]}."
            yield _served_by_app(found[1], rule, endpoint, media[0], fix)


def _blueprints(
    inspection: HostInspection, server: Server, facts: AppFacts
) -> Iterator[RuleResult]:
    """Blueprints with static files of their own, where nginx serves those of the app."""
    static = _served_locations(inspection, server, "static")
    for rule, endpoint in facts.routes if static else ():
        prefix = rule.partition("<")[0]
        if endpoint.endswith(".static") and _is_passed(inspection, server, prefix):
            fix = f"Add a location ^~ {prefix} whose alias is the blueprint's static folder."
            yield _served_by_app(prefix, rule, endpoint, static[0], fix)


def _served_by_app(
    prefix: str, rule: str, endpoint: str, served: LocationMapping, fix: str
) -> RuleResult:
    return warning(
        f"The app itself serves {prefix}; nginx serves only {served.prefix}.",
        f"the app: the route {rule} ({endpoint})",
        f"{served.place}: {served.scope}",
        fix=fix,
    )


def _served_locations(
    inspection: HostInspection, server: Server, role: str
) -> list[LocationMapping]:
    return [
        one for one in inspection.mappings_of(role) if one.server is server and not one.is_internal
    ]


def _is_passed(inspection: HostInspection, server: Server, url: str) -> bool:
    """Whether nginx passes `url`, or a file below it, to the app."""
    uri = url if "." in url.rpartition("/")[2] else f"{url.rstrip('/')}/{_CANARY}"
    route = inspection.nginx.route(server, uri, prefers_tls=True)
    return route is not None and route.answer.kind == "pass"
