"""`reconcile explain URL`: who answers it, why, and with what; changes nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from reconcile.cli.options import File, Json, chosen_file
from reconcile.cli.terminal import now, show, style
from reconcile.errors import ExitCode, ReconcileError

if TYPE_CHECKING:
    from reconcile.nginx.routing.request import Request
    from reconcile.system import Host
    from reconcile.system.http import HttpAnswer


def explain(
    url: Annotated[str, typer.Argument(metavar="URL", help="As a visitor would type it.")],
    file: File = None,
    json: Json = False,
    live: Annotated[
        bool, typer.Option("--live", help="Ask nginx too, and compare its answer.")
    ] = False,
    address: Annotated[
        str | None,
        typer.Option("--address", metavar="IP", help="Where the connection arrives; ::1 for IPv6."),
    ] = None,
) -> int:
    """Tell who answers a URL, with which file, and who may read it."""
    from reconcile.cli.looking import Looking
    from reconcile.nginx.explanation import explain as explained
    from reconcile.nginx.explanation import with_listening_address
    from reconcile.nginx.routing.url import parse_url
    from reconcile.nginx.running.discover import discover

    host, asked, look = _host(file), parse_url(url, address), Looking()
    nginx = discover(host)
    request = asked if address else with_listening_address(nginx, asked)
    found = look(lambda: explained(nginx, request))
    real = _asked(host, request) if live else None
    if json:
        from reconcile.output.explain import explain_document
        from reconcile.output.json import dumped

        show(dumped(explain_document(url, found, host.name, now=now(), live=real)))
    else:
        from reconcile.output.explain import explain_text

        show(explain_text(url, found, style(), real))
    look.tell()
    if found.route.answer.kind != "unknown":
        return ExitCode.OK
    if host.is_unprivileged_viewer and not json:
        sys.stderr.write("Not everything may be seen by this user: run it with sudo.\n")
    return ExitCode.ERROR


def _host(file: str | None) -> Host:
    """The host as the YAML describes it; without any YAML, with everything in its usual place."""
    from reconcile.system import Host
    from reconcile.workspace import Workspace

    try:
        path = chosen_file(file)
    except ReconcileError:
        return Host()
    return Workspace.open(path).host


def _asked(host: Host, request: Request) -> HttpAnswer:
    from reconcile.system.http import HttpTarget

    at = request.address
    target = HttpTarget(at.host, at.port, request.host.strip("[]"), request.scheme == "https")
    return host.http.request(target, request.uri)
