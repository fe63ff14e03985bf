"""`reconcile explain URL`: which server, location and file answer it, and why; changes nothing."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from reconcile.cli.options import File, Json, Vars
from reconcile.cli.read_only_guard import ReadOnlyGuard
from reconcile.cli.terminal import now, show, style
from reconcile.cli.workspaces import open_host
from reconcile.config.fields.field_type import InvalidValue
from reconcile.config.fields.quantities import parse_size
from reconcile.errors import ExitCode, ReconcileError
from reconcile.nginx.explanation import explain as explain_request
from reconcile.nginx.explanation import with_listening_address
from reconcile.nginx.routing.request import Request
from reconcile.nginx.routing.servers import hostname
from reconcile.nginx.routing.url import as_sent, parse_url
from reconcile.nginx.running.discover import discover
from reconcile.output.json import to_json
from reconcile.output.url_explanation import explain_text
from reconcile.output.url_explanation_document import explain_document
from reconcile.system import Host
from reconcile.system.http import HttpAnswer, HttpTarget


def explain(
    url: Annotated[str, typer.Argument(metavar="URL", help="A URL, as a visitor types it.")],
    file: File = None,
    var: Vars = None,
    json: Json = False,
    live: Annotated[
        bool, typer.Option("--live", help="Send the request to nginx too, and compare.")
    ] = False,
    address: Annotated[
        str | None,
        typer.Option(
            "--address", metavar="IP", help="The local address that receives the request."
        ),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option("--header", metavar="NAME:VALUE", help="A request header; repeatable."),
    ] = None,
    cookie: Annotated[
        list[str] | None,
        typer.Option("--cookie", metavar="NAME=VALUE", help="A cookie; repeatable."),
    ] = None,
    method: Annotated[
        str, typer.Option("--method", metavar="METHOD", help="The request method.")
    ] = "GET",
    body_size: Annotated[
        str | None,
        typer.Option("--body-size", metavar="SIZE", help="The size of the body: 20MB, or bytes."),
    ] = None,
) -> int:
    """Show which server, location and file answer a URL.

    Also the headers, the permissions along the path, and the locations that did not match.

    \b
    Examples:
      reconcile explain https://shop.example/static/app.css
      reconcile explain --live http://shop.example/media/photo.jpg
      reconcile explain --method POST --body-size 20MB https://shop.example/upload

    \b
    Exit codes:
      0  explained
      1  error, or the answer cannot be predicted
    """
    host, read_only = open_host(file, var), ReadOnlyGuard()
    request = as_sent(
        parse_url(url, address),
        method=method,
        headers=header or (),
        cookies=cookie or (),
        body_length=_bytes(body_size) if body_size else 0,
    )
    nginx = discover(host)
    if not address:
        request = with_listening_address(nginx, request)
    explanation = read_only(lambda: explain_request(nginx, request))
    answer = _live_answer(host, request) if live else None
    if json:
        show(to_json(explain_document(url, explanation, host.name, now=now(), live=answer)))
    else:
        show(explain_text(url, explanation, style(), answer))
    read_only.print_note()
    if explanation.route.answer.kind != "unknown":
        return ExitCode.OK
    if host.is_unprivileged_viewer and not json:
        sys.stderr.write("This user cannot read everything that decides this. Use sudo.\n")
    return ExitCode.ERROR


def _bytes(size: str) -> int:
    try:
        return int(size) if size.isdecimal() else parse_size(size)
    except InvalidValue as error:
        raise ReconcileError(f"--body-size {size}: {error}", "", "Use 20MB, or bytes.") from None


def _live_answer(host: Host, request: Request) -> HttpAnswer:
    at = request.address
    target = HttpTarget(
        at.host, at.port, hostname(request.host).strip("[]"), request.scheme == "https"
    )
    return host.http.request(
        target,
        request.uri,
        method=request.method,
        headers=tuple(request.headers.items()),
        body=bytes(request.body_length),
    )
