"""A damaged configuration is refused with what, why and fix, or routed; never a crash."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconcile.errors import ReconcileError
from reconcile.nginx.model.config_loader import load
from reconcile.nginx.model.listen import Address
from reconcile.nginx.routing.headers import content_type, sent_headers
from reconcile.nginx.routing.request import Request
from reconcile.nginx.routing.router import Router
from tests.support import generated_nginx as generated
from tests.support.real_nginx import RealFiles, overlay

SCRAPS = [
    "",
    " ",
    ";",
    "{",
    "}",
    "x",
    "=",
    "$",
    "(",
    ")",
    "0",
    "-1",
    "listen;",
    "return;",
    "if () {}",
]
SCRAPS += ["listen a:b;", "listen 0;", "allow x;", "error_page 404 =x /;", "expires;", "root;"]


@settings(max_examples=80, suppress_health_check=list(HealthCheck))
@given(server=generated.servers(), uris=generated.uris, seed=st.integers(0, 1 << 32))
def test_no_damage_makes_routing_crash(server: str, uris: list[str], seed: int) -> None:
    chance = random.Random(seed)
    text = server.replace("@P@", "/srv").replace("@UPSTREAM@", "81")
    for _ in range(chance.randint(0, 3)):
        at = chance.randrange(len(text) + 1)
        text = text[:at] + chance.choice(SCRAPS) + text[at + chance.randint(0, 6) :]

    refused = refusal_of(text, uris)

    assert refused is None or (refused.why and refused.fix)


def refusal_of(server: str, uris: list[str]) -> ReconcileError | None:
    data = f"http {{ server {{ listen 8080; {server} }} }}".encode()
    try:
        router = Router(load("/n/c", overlay({"/n/c": data})))
        for uri in uris:
            route = router.route(Request(uri, address=Address("127.0.0.1", 8080)), RealFiles())
            sent_headers(route)
            if route.scope:
                content_type(route.scope, route.path)
    except ReconcileError as refused:
        return refused
    return None


@pytest.mark.parametrize(
    ("directives", "message"),
    [
        ("return;", 'invalid number of arguments in "return" directive'),
        ("listen;", 'invalid number of arguments in "listen" directive'),
        ("listen 1.2.3.4:x;", 'invalid port in "1.2.3.4:x" of the "listen" directive'),
        ("listen 70000;", 'invalid port in "70000" of the "listen" directive'),
        ("location / { add_header X; }", 'invalid number of arguments in "add_header" directive'),
        ("} server; server { listen 8081;", 'directive "server" has no opening "{"'),
        ("} server shop { listen 8081;", 'invalid number of arguments in "server" directive'),
        ("location /;", 'directive "location" has no opening "{"'),
        ("location / { if ($a) ; }", 'directive "if" has no opening "{"'),
        ("location / { types; }", 'directive "types" has no opening "{"'),
        ("location / { root /srv { } }", 'directive "root" is not terminated by ";"'),
    ],
)
def test_what_nginx_refuses_is_refused_in_its_words(directives: str, message: str) -> None:
    data = f"http {{ server {{ listen 8080; {directives} }} }}".encode()

    with pytest.raises(ReconcileError) as refused:
        sent_headers(
            Router(load("/n/c", overlay({"/n/c": data}))).route(
                Request("/", address=Address("127.0.0.1", 8080))
            )
        )

    assert message == refused.value.why
