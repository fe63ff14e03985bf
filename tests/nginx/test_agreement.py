"""Prediction equals answer: generated configurations, served by real nginx."""

from __future__ import annotations

from pathlib import Path
from posixpath import normpath

import pytest
from hypothesis import HealthCheck, assume, given, settings

from reconcile.nginx.headers import content_type, sent_headers, values_of
from reconcile.nginx.route import Route
from tests.nginx import generated
from tests.nginx.running import Answered, free_ports, lay_files, running

COMPARED = ("X-Mark", "X-Other", "Cache-Control")


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nginx")
    folder.chmod(0o755)
    lay_files(folder)
    return folder


serving = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


@settings(serving, max_examples=60)
@given(server=generated.servers(), uris=generated.uris, method=generated.methods)
def test_the_answer_is_the_one_foretold(
    prefix: Path, server: str, uris: list[str], method: str
) -> None:
    assert_agreement(prefix, server, uris, method)


@pytest.mark.nightly
@settings(serving, max_examples=1_200)
@given(server=generated.servers(), uris=generated.uris, method=generated.methods)
def test_the_answer_is_the_one_foretold_at_length(
    prefix: Path, server: str, uris: list[str], method: str
) -> None:
    assert_agreement(prefix, server, uris, method)


def assert_agreement(prefix: Path, server: str, uris: list[str], method: str = "GET") -> None:
    port, upstream = free_ports(2)
    text = server.replace("@P@", str(prefix)).replace("@UPSTREAM@", str(upstream))
    http = f"""
        server {{ listen 127.0.0.1:{port}; server_name x.test; absolute_redirect off; {text} }}
        server {{ listen 127.0.0.1:{upstream}; location / {{ return 200 "upstream"; }} }}
    """
    with running(prefix, http, port) as nginx:
        assume(nginx is not None)
        assert nginx is not None
        for uri in uris:
            foretold = nginx.foretell(uri, method=method)
            if foretold.answer.kind != "unknown":
                answered = nginx.ask(uri, method=method)
                assert seen(answered, foretold) == expected(foretold, answered), uri


def expected(route: Route, answered: Answered) -> dict[str, object]:
    """The prediction, with what the clock decides taken from the answer."""
    sent = sent_headers(route)
    facts: dict[str, object] = {name: tuple(v for v in values_of(sent, name)) for name in COMPARED}
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
