"""What the app's log says of files, where its cause still holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from shlex import quote

from reconcile.doctor.app_log import app_log_lines
from reconcile.doctor.inspection import HostInspection, UpstreamApp
from reconcile.doctor.rule import Rule, RuleResult, check_each, error, note, warning
from reconcile.filesystem.mount import is_full, is_read_only
from reconcile.nginx.routing.servers import Server

_REFUSED = re.compile(r"\[Errno (13|30)\] [^:]+: '(/[^']+)'")
_ABSENT = re.compile(r"\[Errno 2\] [^:]+: '(/[^']+)'")
# Gunicorn's own control socket: without it the app runs just as well.
_HARMLESS = "Control server error"
_FULL = re.compile(r"\[Errno (28|122)\] (?:[^:]+: '(/[^']+)')?")
# Requests that this very program has made.
_OWN = '"reconcile"'
_STATIC = re.compile(r'"(?:GET|HEAD) (/(?:static|media|assets|uploads)/[^ ?"]*)[^"]*" (\d+)')


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    for app in inspection.apps:
        lines = tuple(
            x for x in app_log_lines(inspection, app.unit) if _HARMLESS not in x and _OWN not in x
        )
        yield from _refused(inspection, app, lines)
        yield from _absent(inspection, app, lines)
        yield from _full(inspection, app, lines)
        yield from check_each(app.servers, partial(_static, inspection, app, lines))


def _refused(
    inspection: HostInspection, app: UpstreamApp, lines: tuple[str, ...]
) -> Iterator[RuleResult]:
    seen = {match[2]: (match[1], line) for line in lines if (match := _REFUSED.search(line))}
    for path, (number, line) in seen.items():
        folder = path.rpartition("/")[0] or "/"
        if _is_still(inspection, app, folder, number):
            yield error(
                f"{app.unit.name} ({app.account.name}) was refused {path}"
                f" ({'read-only' if number == '30' else 'permission denied'}).",
                line,
                fix=f"ReadWritePaths={folder} in {app.unit.name} (see the rule app-write)."
                if number == "30"
                else f"chown {app.account.name} {quote(folder)} (see the rule app-write).",
            )


def _is_still(inspection: HostInspection, app: UpstreamApp, folder: str, number: str) -> bool:
    if number == "30":
        # As the process itself sees it: its unit's sandbox shows there too.
        return is_read_only(app.unit.main_pid, inspection.real_path(folder)) is not False
    return not _may_write(inspection, app, folder)


def _may_write(inspection: HostInspection, app: UpstreamApp, folder: str) -> bool:
    walk = inspection.access(folder, app.account)
    return walk.can_enter and walk.last is not None and walk.last.writable


def _absent(
    inspection: HostInspection, app: UpstreamApp, lines: tuple[str, ...]
) -> Iterator[RuleResult]:
    """An upload folder that the app was told of and that is not there."""
    seen = {match[1]: line for line in lines if (match := _ABSENT.search(line))}
    for path, line in seen.items():
        folder = path.rpartition("/")[0] or "/"
        if inspection.host.files.stat(folder, follow=True) is None:
            yield error(
                f"{app.unit.name} looks for {folder}, which is not there.",
                line,
                fix=f"Set UPLOAD_FOLDER to the directory that nginx serves, or make {folder}.",
            )


def _full(
    inspection: HostInspection, app: UpstreamApp, lines: tuple[str, ...]
) -> Iterator[RuleResult]:
    """No room, or no quota: it is told as long as there is none where the app saves."""
    full = [match for line in lines if (match := _FULL.search(line))]
    if not full:
        return
    saves = [one.path for one in inspection.mappings_of("media") if one.server in app.servers]
    places = [*filter(None, (match[2] for match in full[-1:])), *saves]
    still = [place for place in places if is_full(place)]
    line = full[-1].string
    if still or full[-1][1] == "122":
        where = f" in {still[0]}" if still else ""
        yield warning(
            f"{app.unit.name} had no room left to write{where}.",
            line,
            fix="Make room: df -h; df -i",
        )
    else:
        yield note(f"{app.unit.name} had no room left to write for a while.", line)


def _static(
    inspection: HostInspection, app: UpstreamApp, lines: tuple[str, ...], server: Server
) -> Iterator[RuleResult]:
    """Requests for files in the app's access log, where nginx still passes them on."""
    seen = {match[1]: line for line in lines if (match := _STATIC.search(line))}
    for uri, line in list(seen.items())[-1:]:
        route = inspection.route(server, uri)
        if route and route.answer.kind == "pass":
            yield warning(
                f"{app.unit.name} answered {len(seen)} requests for files that nginx should.",
                line,
                f"{route.hops[-1].place if route.hops else server.place}: passes {uri} on",
                fix=f"{server.place}: add a location ^~ /{uri.split('/')[1]}/ with an alias.",
            )


RULE = Rule("gunicorn-triage", ("CC4", "CC5", "CC6", "DB14", "DB15", "DB16"), check)
