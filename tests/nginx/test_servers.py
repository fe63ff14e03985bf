"""The server block that answers is the one foretold, by address and by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from reconcile.nginx.model.config_loader import load
from reconcile.nginx.model.listen import Address
from reconcile.nginx.routing.request import Request
from reconcile.nginx.routing.router import Router
from tests.nginx.comparisons import compared
from tests.support.ports import free_port
from tests.support.real_nginx import Running, overlay, running

NAMES = [
    *["a.test", "b.a.test", ".a.test", "*.a.test", "*.b.a.test", "a.*", "www.a.*", "b.*"],
    *[r"~^(?<who>\w+)\.a\.test$", r"~^b\.", "~A", '""', "_", "A.test", "c.b.a.test"],
]
HOSTS = [
    *["a.test", "A.TEST", "a.test:80", "a.test.", "b.a.test", "c.b.a.test", "d.c.b.a.test"],
    *["a.b", "a.b.c", "www.a.x", "b.x", "zzz", "x.a.test", "127.0.0.1", "[::1]", "_", "ba.test"],
]

serving = settings(suppress_health_check=list(HealthCheck), print_blob=True)


@st.composite
def server_blocks(draw: st.DrawFn) -> str:
    """Servers on one port: each of some addresses and names, answering with its number."""
    blocks = []
    with_default = draw(st.sampled_from([None, 0, 1, 2]))
    for number in range(draw(st.integers(1, 5))):
        addresses = draw(
            st.lists(
                st.sampled_from(["", "127.0.0.1:", "*:", "127.0.0.2:"]), min_size=1, max_size=2
            )
        )
        unique = dict.fromkeys(address.replace("*:", "") for address in addresses)
        default = " default_server" if number == with_default else ""
        listens = " ".join(f"listen {address}@PORT@{default};" for address in unique)
        names = " ".join(draw(st.lists(st.sampled_from(NAMES), max_size=4, unique=True)))
        named = f"server_name {names};" if names else ""
        blocks.append(f'server {{ {listens} {named} return 200 "{number}"; }}')
    return "\n".join(blocks)


@pytest.mark.process
@settings(serving, max_examples=60)
@given(blocks=server_blocks(), local=st.sampled_from(["127.0.0.1", "127.0.0.2", "127.0.0.3"]))
def test_the_server_is_the_predicted_one(tmp_path: Path, blocks: str, local: str) -> None:
    assert_agreement(tmp_path, blocks, local)


@pytest.mark.nightly
@settings(serving, max_examples=1_500)
@given(blocks=server_blocks(), local=st.sampled_from(["127.0.0.1", "127.0.0.2", "127.0.0.3"]))
def test_the_server_is_the_predicted_one_at_length(tmp_path: Path, blocks: str, local: str) -> None:
    assert_agreement(tmp_path, blocks, local)


def assert_agreement(folder: Path, blocks: str, local: str) -> None:
    port = free_port()
    with running(folder, blocks.replace("@PORT@", str(port)), port, host=local) as nginx:
        assume(nginx is not None)
        assert nginx is not None
        for host in HOSTS:
            compared("servers")
            assert answer_of(nginx, host) == nginx.predict("/", host=host).answer.body, host


def answer_of(nginx: Running, host: str) -> str | None:
    try:
        return nginx.ask("/", host=host).body.decode()
    except ConnectionRefusedError:
        return None


def router_of(http: str) -> Router:
    text = f"http {{ {http} }}".encode()
    return Router(load("/n/nginx.conf", overlay({"/n/nginx.conf": text})))


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("a.test", "server_name matches exactly"),
        ("x.a.test", "server_name *.a.test matches"),
        ("www.b", "server_name www.* matches"),
        ("q7", "server_name ~^q is the first regex to match"),
        ("other", "default_server, and no name matches"),
    ],
)
def test_the_reason_names_the_rule(host: str, why: str) -> None:
    router = router_of(
        "server { server_name z; } server { listen 80 default_server; "
        "server_name a.test *.a.test www.* ~^q; }"
    )

    route = router.route(Request("/", host=host))

    assert why == route.server_why


def test_an_address_without_a_listener_is_unknown_not_passed() -> None:
    router = router_of("server { listen 127.0.0.1:80; }")

    route = router.route(Request("/", address=Address("127.0.0.1", 81)))

    assert ("unknown", "no server listens on 127.0.0.1:81") == (
        route.answer.kind,
        route.answer.reason,
    )


def test_ipv6only_off_takes_ipv4_where_nothing_else_does() -> None:
    router = router_of("server { listen [::]:80 ipv6only=off; return 204; }")

    assert 204 == router.route(Request("/")).answer.status


def test_plain_http_to_a_tls_port_is_a_bad_request() -> None:
    router = router_of("server { listen 443 ssl; return 204; }")

    answer = router.route(Request("/", address=Address("127.0.0.1", 443))).answer

    assert ("error", 400) == (answer.kind, answer.status)
