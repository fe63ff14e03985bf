"""What a connection must bring before nginx answers a request on it: TLS, a name, a certificate."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from reconcile.nginx.routing.request import Request
from reconcile.nginx.routing.route import Answer
from reconcile.system.http import HttpClient, HttpTarget
from tests.support.ports import free_port
from tests.support.real_nginx import RealFiles, Running, running

pytestmark = pytest.mark.process

TLS = "ssl_certificate @P@/cert.pem; ssl_certificate_key @P@/key.pem;"
SITE = "server_name shop.test; return 200 shop;"


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("connections")
    folder.chmod(0o755)
    made = ["-days", "2", "-nodes", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-subj", "/CN=shop.test", *made],
        check=True,
        capture_output=True,
    )
    return folder


@contextmanager
def serving(prefix: Path, servers: str) -> Iterator[Running]:
    port = free_port()
    text = servers.replace("@P@", str(prefix)).replace("@L@", f"listen 127.0.0.1:{port}")
    with running(prefix, text, port) as nginx:
        assert nginx is not None, (prefix / "start.log").read_text()
        yield nginx


def predicted(nginx: Running, scheme: str, host: str) -> Answer:
    request = Request("/", host=host, address=nginx.address, is_stranger=True)
    asked = replace(request, scheme=scheme)  # type: ignore[arg-type]
    return nginx.router.route(asked, RealFiles()).answer


def real(nginx: Running, scheme: str, host: str) -> int:
    """The status, 444 for a connection that ends without one."""
    at = nginx.address
    target = HttpTarget(at.host, at.port, host, tls=scheme == "https")
    answer = HttpClient().request(target, "/")
    return 444 if answer.error else answer.status


SERVERS = {
    "plain": f"server {{ @L@; {SITE} }}",
    "listen ssl": f"server {{ @L@ ssl; {SITE} {TLS} }}",
    "ssl on": f"server {{ @L@; ssl on; {SITE} {TLS} }}",
    "ssl on for all": f"ssl on; {TLS} server {{ @L@; {SITE} }}",
    "ssl on of the first server": (
        f"server {{ @L@; ssl on; server_name a.test; {TLS} return 201; }}"
        f" server {{ @L@; {SITE} {TLS} }}"
    ),
    "ssl on of another than the first server": (
        f"server {{ @L@; server_name a.test; return 201; }} server {{ @L@; ssl on; {SITE} {TLS} }}"
    ),
    "ssl of another listen": (
        f"server {{ @L@ ssl; server_name a.test; {TLS} return 201; }} server {{ @L@; {SITE} }}"
    ),
    "proxy_protocol": f"server {{ @L@ proxy_protocol; {SITE} }}",
    "proxy_protocol of another listen": (
        f"server {{ @L@ proxy_protocol; server_name a.test; }} server {{ @L@; {SITE} }}"
    ),
    "a client certificate": (
        f"server {{ @L@ ssl; {SITE} {TLS} ssl_verify_client on; ssl_client_certificate"
        " @P@/cert.pem; }"
    ),
    "a client certificate, and a page for who has none": (
        f"server {{ @L@ ssl; server_name shop.test; {TLS} ssl_verify_client on;"
        " ssl_client_certificate @P@/cert.pem; error_page 496 =403 /none;"
        " location / { return 200 shop; } location /none { return 403; } }"
    ),
    "a client certificate, if there is one": (
        f"server {{ @L@ ssl; {SITE} {TLS} ssl_verify_client optional; ssl_client_certificate"
        " @P@/cert.pem; }"
    ),
    "rejected by default": (
        "server { @L@ ssl default_server; ssl_reject_handshake on; }"
        f" server {{ @L@ ssl; {SITE} {TLS} }}"
    ),
    "rejected by name": (
        f"server {{ @L@ ssl default_server; {TLS} return 201; }}"
        " server { @L@ ssl; server_name shop.test; ssl_reject_handshake on; }"
    ),
}


@pytest.mark.parametrize("host", ["shop.test", "other.test", "127.0.0.1"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("servers", SERVERS.values(), ids=SERVERS.keys())
def test_the_status_is_the_predicted_one(
    prefix: Path, servers: str, scheme: str, host: str
) -> None:
    with serving(prefix, servers) as nginx:
        assert real(nginx, scheme, host) == predicted(nginx, scheme, host).status


def test_with_a_proxy_header_the_site_answers(prefix: Path) -> None:
    with serving(prefix, SERVERS["proxy_protocol"]) as nginx:
        request = Request("/", host="shop.test", address=nginx.address)
        with socket.create_connection(nginx.address) as sock:
            sock.sendall(b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET / HTTP/1.0\r\n\r\n")
            status = sock.recv(64).split()[1]

        assert 200 == int(status) == nginx.router.route(request, RealFiles()).answer.status


def test_who_has_the_certificate_gets_through(prefix: Path) -> None:
    with serving(prefix, SERVERS["a client certificate"]) as nginx:
        request = Request("/", host="shop.test", address=nginx.address, scheme="https")
        context = ssl._create_unverified_context()
        context.load_cert_chain(prefix / "cert.pem", prefix / "key.pem")
        with (
            socket.create_connection(nginx.address) as sock,
            context.wrap_socket(sock, server_hostname="shop.test") as tls,
        ):
            tls.sendall(b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
            status = tls.recv(64).split()[1]

        assert 200 == int(status) == nginx.router.route(request, RealFiles()).answer.status


@pytest.mark.parametrize("tls", ["", "ssl "])
def test_a_probe_sends_the_proxy_header_that_the_port_waits_for(prefix: Path, tls: str) -> None:
    site = f"server {{ @L@ {tls}proxy_protocol; {SITE} {TLS} }}"
    with serving(prefix, site) as nginx:
        at = nginx.address
        target = HttpTarget(at.host, at.port, "shop.test", tls=bool(tls))

        answers = [
            HttpClient().request(replace(target, behind_proxy=b), "/") for b in (True, False)
        ]

    assert [(200, None), (0, "protocol")] == [
        (one.status, one.error and "protocol") for one in answers
    ]
