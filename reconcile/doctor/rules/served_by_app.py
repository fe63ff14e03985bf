"""Requests for files that reach the app, since no location of nginx takes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from reconcile.doctor.file_probe import sample
from reconcile.doctor.inspection import App, HostInspection
from reconcile.doctor.location_mapping import Mapped
from reconcile.doctor.request_tracing import Suspect, Trail, follow
from reconcile.doctor.rule import Rule, RuleResult, collect, each, error, warning
from reconcile.doctor.rules.files_missing import USUAL_SOURCES
from reconcile.nginx.routing.route import Route
from reconcile.nginx.routing.servers import Server
from reconcile.nginx.routing.uri import escaped


@dataclass(frozen=True)
class _Unmapped:
    """The app has static files, and nobody but the app answers for them."""

    server: Server
    app: App
    folder: str
    uri: str
    route: Route

    @property
    def suspect(self) -> Suspect:
        return Suspect(self.server, self.uri, is_passed=True)


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    servers = {id(one.server): one.server for one in snapshot.passed}.values()
    locations = snapshot.of_role("static", "media")
    unmapped, unseen = collect(servers, partial(_unmapped, snapshot))
    mapped, unseen_too = collect(locations, partial(_asked, snapshot))
    yield from (*unseen, *unseen_too)
    suspects = [*(one.suspect for one in unmapped), *(suspect for _, suspect in mapped)]
    trails = follow(snapshot, list(dict.fromkeys(suspects)))
    for one in unmapped:
        yield _without_location(one, trails[one.suspect])
    for location, suspect in mapped:
        if trails[suspect].by == "app":
            yield _in_spite_of_it(location, trails[suspect])
    yield from each(locations, partial(_bare, snapshot))


def _unmapped(snapshot: HostInspection, server: Server) -> Iterator[_Unmapped]:
    for app in snapshot.apps_of(server):
        if folder := _static_of(snapshot, app):
            name = sample(snapshot, folder) or "reconcile-canary.css"
            uri = f"/static/{escaped(name)}"
            route = snapshot.route(server, uri)
            if route and route.answer.kind == "pass":
                yield _Unmapped(server, app, folder, uri, route)


def _static_of(snapshot: HostInspection, app: App) -> str:
    for usual in USUAL_SOURCES:
        folder = f"{app.unit.working_directory}/{usual}"
        found = folder.startswith("/") and snapshot.host.files.stat(folder, follow=True)
        if found and found.kind == "directory":
            return folder
    return ""


def _asked(snapshot: HostInspection, mapped: Mapped) -> Iterator[tuple[Mapped, Suspect]]:
    """A file of a location that the configuration gives to nginx, on a server with an app."""
    if mapped.is_internal or not snapshot.apps_of(mapped.server) or mapped.prefix[-1:] != "/":
        return
    if name := sample(snapshot, mapped.path):
        uri = mapped.prefix + escaped(name)
        route = snapshot.route(mapped.server, uri)
        if route and route.answer.kind == "file":
            yield mapped, Suspect(mapped.server, uri, is_passed=False)


def _without_location(found: _Unmapped, trail: Trail) -> RuleResult:
    server, hops = found.server, found.route.hops
    place = hops[-1].place if hops else server.place
    # The logs show what runs, the route what the files on the disk say.
    will = " after the next reload" if trail.by == "nginx" else ""
    return (warning if will else error)(
        f"Requests for /static/ on {server.names[0]} reach the app{will}: "
        "no location maps them to files.",
        f"{place}: {found.uri} is passed to {found.route.answer.target}",
        f"{found.app.unit.name} keeps its static files in {found.folder}",
        *trail.evidence,
        fix=f"{server.place}: add location ^~ /static/ {{ alias {found.folder}/; }},"
        " better with a copy outside of the app's directory.",
    )


def _in_spite_of_it(mapped: Mapped, trail: Trail) -> RuleResult:
    return error(
        f"Requests for {mapped.prefix} on {mapped.server.names[0]} reach the app in spite of"
        f" {mapped.scope}.",
        *trail.evidence,
        f"{mapped.place}: {mapped.directive.name} {mapped.directive.args[0]};",
        fix="systemctl reload nginx  # the running nginx does not do what its files say",
        by_apply=mapped.declared is not None,
    )


def _bare(snapshot: HostInspection, mapped: Mapped) -> Iterator[RuleResult]:
    bare = mapped.prefix.rstrip("/")
    if not bare or bare == mapped.prefix or mapped.is_internal:
        return
    route = snapshot.route(mapped.server, bare)
    if route and route.answer.kind == "pass":
        yield warning(
            f"{bare} without its slash reaches the app, not {mapped}.",
            f"{route.hops[-1].place}: {bare} is passed to {route.answer.target}",
            fix=f"{mapped.server.place}: add location = {bare} {{ return 301 {mapped.prefix}; }}",
            by_apply=mapped.is_restored,
        )


RULE = Rule("served-by-app", ("CC6", "DB3", "DB7", "DB16", "CL8", "CL9"), look)
