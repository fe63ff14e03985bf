"""Requests for files that reach the app, since no location of nginx takes them."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.mapping import Mapped, visit
from reconcile.doctor.model import Rule, Said, error, warning
from reconcile.doctor.rules.files_missing import USUAL_SOURCES
from reconcile.doctor.snapshot import App, Snapshot
from reconcile.nginx.routing.servers import Server


def look(snapshot: Snapshot) -> Iterator[Said]:
    for server in {id(one.server): one.server for one in snapshot.passed}.values():
        yield from _unmapped(snapshot, server)
    for mapped in snapshot.of_role("static", "media"):
        yield from _bare(snapshot, mapped)


def _unmapped(snapshot: Snapshot, server: Server) -> Iterator[Said]:
    """The app has static files, and nobody but the app answers for them."""
    route = snapshot.router.route(visit(server, "/static/reconcile-canary.css"), snapshot.disk)
    if route.server is not server or route.answer.kind != "pass":
        return
    for app in snapshot.apps_of(server):
        if folder := _static_of(snapshot, app):
            place = route.hops[-1].place if route.hops else server.place
            yield error(
                f"Requests for /static/ on {server.names[0]} reach the app: "
                "no location maps them to files.",
                f"{place}: /static/… is passed to {route.answer.target}",
                f"{app.unit.name} keeps its static files in {folder}",
                fix=f"{server.place}: add location ^~ /static/ {{ alias {folder}/; }},"
                " better with a copy outside of the app's directory.",
            )


def _static_of(snapshot: Snapshot, app: App) -> str:
    for usual in USUAL_SOURCES:
        folder = f"{app.unit.working_directory}/{usual}"
        found = folder.startswith("/") and snapshot.host.files.stat(folder, follow=True)
        if found and found.kind == "directory":
            return folder
    return ""


def _bare(snapshot: Snapshot, mapped: Mapped) -> Iterator[Said]:
    bare = mapped.prefix.rstrip("/")
    if not bare or bare == mapped.prefix or mapped.is_internal:
        return
    route = snapshot.router.route(visit(mapped.server, bare), snapshot.disk)
    if route.server is mapped.server and route.answer.kind == "pass":
        yield warning(
            f"{bare} without its slash reaches the app, not {mapped}.",
            f"{route.hops[-1].place}: {bare} is passed to {route.answer.target}",
            fix=f"{mapped.server.place}: add location = {bare} {{ return 301 {mapped.prefix}; }}",
            by_apply=mapped.is_ours,
        )


RULE = Rule("served-by-app", ("CC6", "DB3", "DB7", "DB16", "CL8", "CL9"), look)
