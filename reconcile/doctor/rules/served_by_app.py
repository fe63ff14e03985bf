"""Requests for files reach the app: no location maps them, or nginx has not loaded it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from reconcile.doctor.file_probe import sample_file
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.request_tracing import RequestTrace, TracedRequest, trace_requests
from reconcile.doctor.rule import Inconclusive, Rule, RuleResult, check_each, error, note, warning
from reconcile.doctor.upstream_apps import UpstreamApp, static_folders
from reconcile.nginx.routing.route import Route
from reconcile.nginx.routing.servers import Server
from reconcile.nginx.routing.uri import escaped


@dataclass(frozen=True)
class _UnmappedStatic:
    """An app with static files whose URLs reach the app itself."""

    server: Server
    app: UpstreamApp
    folder: str
    uri: str
    route: Route

    @property
    def request(self) -> TracedRequest:
        """The request that shows who answers."""
        return TracedRequest(self.server, self.uri, is_passed=True)


@dataclass(frozen=True)
class _MappedFile:
    """A file that the configuration lets nginx serve, on a server with an app."""

    mapping: LocationMapping
    request: TracedRequest


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Request files of both kinds, and trace in the logs which of them the app answers."""
    servers = dict.fromkeys(one.server for one in inspection.proxy_locations)
    locations = inspection.mappings_of("static", "media")
    results = [
        *check_each(servers, partial(_unmapped_static, inspection)),
        *check_each(locations, partial(_mapped_file, inspection)),
    ]
    cases = [one for one in results if not isinstance(one, Inconclusive)]
    yield from (one for one in results if isinstance(one, Inconclusive))
    traces = trace_requests(inspection, list(dict.fromkeys(one.request for one in cases)))
    for case in cases:
        trace = traces[case.request]
        if isinstance(case, _UnmappedStatic):
            yield _no_location(case, trace)
        elif trace.answered_by == "app":
            yield _location_not_used(case.mapping, trace)
    yield from check_each(locations, partial(_without_slash, inspection))


def _unmapped_static(inspection: HostInspection, server: Server) -> Iterator[_UnmappedStatic]:
    for app in inspection.apps_behind(server):
        for folder in list(static_folders(inspection, app))[:1]:
            name = sample_file(inspection, folder) or "reconcile-canary.css"
            uri = f"/static/{escaped(name)}"
            route = inspection.nginx.route(server, uri)
            if route and route.answer.kind == "pass":
                yield _UnmappedStatic(server, app, folder, uri, route)


def _mapped_file(inspection: HostInspection, mapping: LocationMapping) -> Iterator[_MappedFile]:
    has_app = bool(inspection.apps_behind(mapping.server))
    if mapping.is_internal or not has_app or not mapping.prefix.endswith("/"):
        return
    if name := sample_file(inspection, mapping.path):
        uri = mapping.prefix + escaped(name)
        route = inspection.nginx.route(mapping.server, uri)
        if route and route.answer.kind == "file":
            yield _MappedFile(mapping, TracedRequest(mapping.server, uri, is_passed=False))


def _no_location(case: _UnmappedStatic, trace: RequestTrace) -> RuleResult:
    server, hops = case.server, case.route.hops
    place = hops[-1].place if hops else server.place
    # The logs show the loaded configuration, the route the one on the disk.
    when = " after the next reload" if trace.answered_by == "nginx" else ""
    severity: Callable[..., RuleResult] = warning if when else error
    if not when and trace.is_served:
        severity = note
    return severity(
        f"Requests for /static/ on {server.names[0]} reach the app{when}:"
        " no location maps them to files.",
        f"{place}: {case.uri} is passed to {case.route.answer.target}",
        f"{case.app.unit.name} keeps its static files in {case.folder}",
        *trace.evidence,
        fix=f"{server.place}: add location ^~ /static/ {{ alias {case.folder}/; }}, preferably"
        " with a copy outside of the app's directory.",
    )


def _location_not_used(mapping: LocationMapping, trace: RequestTrace) -> RuleResult:
    return error(
        f"Requests for {mapping.prefix} on {mapping.server.names[0]} reach the app despite"
        f" {mapping.scope}.",
        *trace.evidence,
        mapping.evidence,
        fix="systemctl reload nginx  # the running nginx has not loaded its current files",
        apply_fixes=mapping.declared is not None,
    )


def _without_slash(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    bare = mapping.prefix.rstrip("/")
    if not bare or bare == mapping.prefix or mapping.is_internal:
        return
    route = inspection.nginx.route(mapping.server, bare)
    if route and route.answer.kind == "pass":
        yield note(
            f"{bare} without the trailing slash reaches the app, not {mapping}.",
            f"{route.hops[-1].place}: {bare} is passed to {route.answer.target}",
            fix=f"{mapping.server.place}: add location = {bare} {{ return 301 {mapping.prefix}; }}",
            apply_fixes=mapping.is_restored_by_apply,
        )


RULE = Rule(
    id="served-by-app",
    summary="Requests for files reach the app.",
    severity="error",
    help=(
        "The app answers for files, slowly or with 404, where nginx should. Add the "
        "location, or reload nginx."
    ),
    reads=("configuration", "files", "requests", "logs"),
    guide_rows=("CC6", "DB3", "DB7", "DB16", "CL8", "CL9"),
    yaml_key="locations",
    check=check,
)
