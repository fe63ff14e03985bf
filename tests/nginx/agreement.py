"""The comparison of a prediction with what a client sees."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from posixpath import normpath
from typing import NamedTuple

from reconcile.nginx.routing.headers import content_type, sent_headers, values_of
from reconcile.nginx.routing.route import Route
from tests.nginx.comparisons import compared
from tests.support.ports import free_port
from tests.support.real_nginx import Answered, Running, running

COMPARED = ("X-Mark", "X-Other", "Cache-Control")


class Disagreement(NamedTuple):
    """A request whose answer is not the one foretold."""

    uri: str
    predicted: dict[str, object]
    seen: dict[str, object]


def disagreements(
    prefix: Path,
    server: str,
    uris: list[str],
    method: str = "GET",
    *,
    around: str = "",
    headers: Mapping[str, str] | None = None,
) -> list[Disagreement] | None:
    """Ask nginx and our router the same; None where nginx refuses the configuration.

    `around` stands beside the server. What we say we cannot know is not compared.
    """
    port, upstream = free_port(), free_port()
    text = server.replace("@P@", str(prefix)).replace("@UPSTREAM@", str(upstream))
    http = f"""
        {around.replace("@P@", str(prefix)).replace("@PORT@", str(port))}
        server {{ listen 127.0.0.1:{port}; server_name x.test; absolute_redirect off; {text} }}
        server {{ listen 127.0.0.1:{upstream}; location / {{ return 200 "upstream"; }} }}
    """
    with running(prefix, http, port) as nginx:
        if nginx is None:
            return None
        compared = [compare(nginx, uri, method, headers or {}) for uri in uris]
    return [found for found in compared if found.predicted != found.seen]


def compare(nginx: Running, uri: str, method: str, headers: Mapping[str, str]) -> Disagreement:
    predicted = nginx.predict(uri, method=method, headers=headers)
    is_unknown = predicted.answer.kind == "unknown"
    compared("answers said to be unknown" if is_unknown else "answers")
    if is_unknown:
        return Disagreement(uri, {}, {})
    return Disagreement(
        uri, expected(predicted), seen(nginx.ask(uri, method=method, headers=headers), predicted)
    )


def expected(route: Route) -> dict[str, object]:
    """What we foretell; of Expires only whether it is there, the clock decides the rest."""
    sent = sent_headers(route)
    facts: dict[str, object] = {name: values_of(sent, name) for name in COMPARED}
    facts["status"] = 200 if route.answer.status is None else route.answer.status
    facts["Expires"] = len(values_of(sent, "Expires"))
    if route.answer.kind == "redirect":
        facts["Location"] = route.answer.target
    if route.answer.kind in ("file", "return", "pass"):
        facts["body"] = body_of(route)
    if has_type(route) and route.scope:
        facts["Content-Type"] = content_type(route.scope, route.path)
    return facts


def has_type(route: Route) -> bool:
    return route.answer.kind in ("file", "return") and route.answer.status != 204


def body_of(route: Route) -> bytes:
    answer = route.answer
    if route.request.method == "HEAD" or answer.status == 204:
        return b""
    if answer.kind == "pass":
        return b"upstream"
    return (normpath(answer.path) if answer.path else answer.body or "").encode()


def seen(answered: Answered, route: Route) -> dict[str, object]:
    facts: dict[str, object] = {name: answered.all(name) for name in COMPARED}
    facts["status"] = answered.status
    facts["Expires"] = len(answered.all("Expires"))
    if route.answer.kind == "redirect":
        facts["Location"] = answered.one("Location")
    if route.answer.kind in ("file", "return", "pass"):
        facts["body"] = answered.body
    if has_type(route):
        facts["Content-Type"] = answered.one("Content-Type")
    return facts
