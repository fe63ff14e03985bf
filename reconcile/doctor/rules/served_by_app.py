"""Requests for files that reach the app, since no location of nginx takes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from reconcile.doctor.file_probe import sample_file
from reconcile.doctor.inspection import HostInspection, UpstreamApp
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.request_tracing import RequestTrace, TracedRequest, trace_requests
from reconcile.doctor.rule import Rule, RuleResult, check_each, collect, error, warning
from reconcile.doctor.rules.files_missing import USUAL_FOLDERS
from reconcile.nginx.routing.route import Route
from reconcile.nginx.routing.servers import Server
from reconcile.nginx.routing.uri import escaped


@dataclass(frozen=True)
class _Unmapped:
    """The app has static files, and nobody but the app answers for them."""

    server: Server
    app: UpstreamApp
    folder: str
    uri: str
    route: Route

    @property
    def suspect(self) -> TracedRequest:
        return TracedRequest(self.server, self.uri, is_passed=True)


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    servers = {id(one.server): one.server for one in inspection.proxy_locations}.values()
    locations = inspection.mappings_of("static", "media")
    unmapped, unseen = collect(servers, partial(_unmapped, inspection))
    mapping, unseen_too = collect(locations, partial(_asked, inspection))
    yield from (*unseen, *unseen_too)
    suspects = [*(one.suspect for one in unmapped), *(suspect for _, suspect in mapping)]
    trails = trace_requests(inspection, list(dict.fromkeys(suspects)))
    for one in unmapped:
        yield _without_location(one, trails[one.suspect])
    for location, suspect in mapping:
        if trails[suspect].answered_by == "app":
            yield _in_spite_of_it(location, trails[suspect])
    yield from check_each(locations, partial(_bare, inspection))


def _unmapped(inspection: HostInspection, server: Server) -> Iterator[_Unmapped]:
    for app in inspection.apps_behind(server):
        if folder := _static_of(inspection, app):
            name = sample_file(inspection, folder) or "reconcile-canary.css"
            uri = f"/static/{escaped(name)}"
            route = inspection.route(server, uri)
            if route and route.answer.kind == "pass":
                yield _Unmapped(server, app, folder, uri, route)


def _static_of(inspection: HostInspection, app: UpstreamApp) -> str:
    for usual in USUAL_FOLDERS:
        folder = f"{app.unit.working_directory}/{usual}"
        found = folder.startswith("/") and inspection.host.files.stat(folder, follow=True)
        if found and found.kind == "directory":
            return folder
    return ""


def _asked(
    inspection: HostInspection, mapping: LocationMapping
) -> Iterator[tuple[LocationMapping, TracedRequest]]:
    """A file of a location that the configuration gives to nginx, on a server with an app."""
    if (
        mapping.is_internal
        or not inspection.apps_behind(mapping.server)
        or mapping.prefix[-1:] != "/"
    ):
        return
    if name := sample_file(inspection, mapping.path):
        uri = mapping.prefix + escaped(name)
        route = inspection.route(mapping.server, uri)
        if route and route.answer.kind == "file":
            yield mapping, TracedRequest(mapping.server, uri, is_passed=False)


def _without_location(found: _Unmapped, trail: RequestTrace) -> RuleResult:
    server, hops = found.server, found.route.hops
    place = hops[-1].place if hops else server.place
    # The logs show what runs, the route what the files on the disk say.
    will = " after the next reload" if trail.answered_by == "nginx" else ""
    return (warning if will else error)(
        f"Requests for /static/ on {server.names[0]} reach the app{will}: "
        "no location maps them to files.",
        f"{place}: {found.uri} is passed to {found.route.answer.target}",
        f"{found.app.unit.name} keeps its static files in {found.folder}",
        *trail.evidence,
        fix=f"{server.place}: add location ^~ /static/ {{ alias {found.folder}/; }},"
        " better with a copy outside of the app's directory.",
    )


def _in_spite_of_it(mapping: LocationMapping, trail: RequestTrace) -> RuleResult:
    return error(
        f"Requests for {mapping.prefix} on {mapping.server.names[0]} reach the app in spite of"
        f" {mapping.scope}.",
        *trail.evidence,
        mapping.evidence,
        fix="systemctl reload nginx  # the running nginx does not do what its files say",
        by_apply=mapping.declared is not None,
    )


def _bare(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    bare = mapping.prefix.rstrip("/")
    if not bare or bare == mapping.prefix or mapping.is_internal:
        return
    route = inspection.route(mapping.server, bare)
    if route and route.answer.kind == "pass":
        yield warning(
            f"{bare} without its slash reaches the app, not {mapping}.",
            f"{route.hops[-1].place}: {bare} is passed to {route.answer.target}",
            fix=f"{mapping.server.place}: add location = {bare} {{ return 301 {mapping.prefix}; }}",
            by_apply=mapping.is_restored_by_apply,
        )


RULE = Rule("served-by-app", ("CC6", "DB3", "DB7", "DB16", "CL8", "CL9"), check)
