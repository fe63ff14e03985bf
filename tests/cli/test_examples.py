"""The examples run as they stand, but for their places: a folder of the test's own."""

from __future__ import annotations

import base64
import os
import socket

import pytest
from websockets.sync.client import connect

from reconcile.cli.demo.demo_host import DemoHost
from tests.support.command import Run
from tests.support.example import Example

pytestmark = pytest.mark.process


def test_django(demo: DemoHost, run: Run) -> None:
    example = Example("django", demo, run)
    example.collect_static()

    example.apply()

    status, headers, body = example.ask("shop.example.com", "/")
    assert (200, "DENY", True) == (status, headers["X-Frame-Options"], "A shop" in body)
    status, _, body = example.ask("shop.example.com", "/static/css/shop.css")
    assert (200, "h1 { color: #0a5; }\n") == (status, body)


def test_fastapi_with_a_websocket(demo: DemoHost, run: Run) -> None:
    example = Example("fastapi-websocket", demo, run)

    example.apply()

    sock = socket.create_connection(("127.0.0.1", demo.port), timeout=20)
    with connect("ws://chat.example.com/ws", sock=sock) as client:
        client.send("hello")
        assert "echo: hello" == client.recv(timeout=20)
    assert 200 == example.ask("chat.example.com", "/api/time")[0]


def test_an_app_of_one_page_and_its_api(demo: DemoHost, run: Run) -> None:
    example = Example("spa-and-api", demo, run)

    example.apply()

    assert "An app of one page" in example.ask("example.com", "/any/page")[2]
    assert 404 == example.ask("example.com", "/assets/missing.js")[0]
    assert "hello" in example.ask("example.com", "/api/hello")[2]
    assert "hello" in example.ask("api.example.com", "/api/hello")[2]
    assert 301 == example.ask("www.example.com", "/a")[0]


def test_staging_with_a_password(demo: DemoHost, run: Run) -> None:
    example = Example("staging-with-password", demo, run)

    example.apply()

    name = "staging.example.com"
    login = {"Authorization": "Basic " + base64.b64encode(b"anna:example").decode()}
    verified = example.run("verify", cwd=example.folder)
    assert 0 == verified.returncode, verified.stdout
    status, headers, body = example.ask(name, "/")
    assert (401, "noindex", True) == (status, headers["X-Robots-Tag"], "For colleagues" in body)
    assert "Staging" in example.ask(name, "/", login)[2]
    assert 200 == example.ask(name, "/health/health.txt")[0]
    assert os.path.exists(f"{demo.root}/www/staging/index.html")
