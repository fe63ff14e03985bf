"""Failures in the app's log whose cause persists: permissions, missing folders, a full disk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from shlex import quote

from reconcile.doctor.gunicorn_logs import app_log_lines
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, check_each, error, note, warning
from reconcile.doctor.upstream_apps import UpstreamApp
from reconcile.filesystem.mount import is_full, is_read_only
from reconcile.nginx.routing.servers import Server

_DENIED = re.compile(r"\[Errno (13|30)\] [^:]+: '(/[^']+)'")
_MISSING = re.compile(r"\[Errno 2\] [^:]+: '(/[^']+)'")
_FULL = re.compile(r"\[Errno (28|122)\] (?:[^:]+: '(/[^']+)')?")
_STATIC = re.compile(r'"(?:GET|HEAD) (/(?:static|media|assets|uploads)/[^ ?"]*)[^"]*" (\d+)')
# Gunicorn's own control socket (the app runs without it), and this program's own requests.
_IGNORED = ("Control server error", '"reconcile"')


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Test each failure that the app has logged again; report what still fails."""
    for app in inspection.apps:
        logged = app_log_lines(inspection, app.unit)
        lines = tuple(line for line in logged if not any(text in line for text in _IGNORED))
        yield from _denied_paths(inspection, app, lines)
        yield from _missing_folders(inspection, app, lines)
        yield from _full_disk(inspection, app, lines)
        yield from check_each(app.servers, partial(_static_requests, inspection, app, lines))


def _denied_paths(
    inspection: HostInspection, app: UpstreamApp, lines: tuple[str, ...]
) -> Iterator[RuleResult]:
    found = {match[2]: (match[1], line) for line in lines if (match := _DENIED.search(line))}
    for path, (errno, line) in found.items():
        folder = path.rpartition("/")[0] or "/"
        if _is_still_denied(inspection, app, folder, errno):
            yield error(
                f"{app.unit.name} ({app.account.name}) was denied access to {path}"
                f" ({'read-only' if errno == '30' else 'permission denied'}).",
                line,
                fix=f"Set ReadWritePaths={folder} in {app.unit.name} (see the rule app-write)."
                if errno == "30"
                else f"chown {app.account.name} {quote(folder)}  # see the rule app-write",
            )


def _is_still_denied(inspection: HostInspection, app: UpstreamApp, folder: str, errno: str) -> bool:
    if errno == "30":
        # The process's own mounts also show the sandbox of its unit.
        return is_read_only(app.unit.main_pid, inspection.real_path(folder)) is not False
    walk = inspection.access(folder, app.account)
    return not (walk.can_enter and walk.last is not None and walk.last.writable)


def _missing_folders(
    inspection: HostInspection, app: UpstreamApp, lines: tuple[str, ...]
) -> Iterator[RuleResult]:
    """An upload folder that the app is configured with and that does not exist."""
    found = {match[1]: line for line in lines if (match := _MISSING.search(line))}
    for path, line in found.items():
        folder = path.rpartition("/")[0] or "/"
        if inspection.host.files.stat(folder, follow=True) is None:
            yield error(
                f"{app.unit.name} uses {folder}, which does not exist.",
                line,
                fix=f"Set UPLOAD_FOLDER to the directory that nginx serves, or create {folder}.",
            )


def _full_disk(
    inspection: HostInspection, app: UpstreamApp, lines: tuple[str, ...]
) -> Iterator[RuleResult]:
    """A full disk or quota: a warning while the upload folders are full, a note afterwards."""
    full = [match for line in lines if (match := _FULL.search(line))]
    if not full:
        return
    media = [one.path for one in inspection.mappings_of("media") if one.server in app.servers]
    places = [*filter(None, (match[2] for match in full[-1:])), *media]
    still_full = [place for place in places if is_full(place)]
    line = full[-1].string
    # A quota (122) cannot be tested.
    if still_full or full[-1][1] == "122":
        where = f" in {still_full[0]}" if still_full else ""
        yield warning(
            f"{app.unit.name} has no space left to write{where}.",
            line,
            fix="Free some space: df -h; df -i",
        )
    else:
        yield note(f"{app.unit.name} had no space left to write for a while.", line)


def _static_requests(
    inspection: HostInspection, app: UpstreamApp, lines: tuple[str, ...], server: Server
) -> Iterator[RuleResult]:
    """Requests for files in the app's access log that nginx still passes on."""
    found = {match[1]: line for line in lines if (match := _STATIC.search(line))}
    for uri, line in list(found.items())[-1:]:
        route = inspection.nginx.route(server, uri)
        if route and route.answer.kind == "pass":
            yield note(
                f"{app.unit.name} answered {len(found)} requests for files that nginx should"
                " serve.",
                line,
                f"{route.hops[-1].place if route.hops else server.place}: passes {uri} to the app",
                fix=f"{server.place}: add a location ^~ /{uri.split('/')[1]}/ with an alias.",
            )


RULE = Rule(
    id="gunicorn-triage",
    summary="The app's log shows failures whose cause persists.",
    severity="error",
    help=(
        "The failures of the app's log are tested again, and those that persist are "
        "reported with their lines."
    ),
    reads=("logs", "files", "processes"),
    guide_rows=("CC4", "CC5", "CC6", "DB14", "DB15", "DB16"),
    check=check,
)
