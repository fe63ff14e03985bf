"""What is foretold of a URL beside what nginx really answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconcile.nginx.explanation import Explanation, explain
from reconcile.nginx.routing.url import parse_url
from reconcile.nginx.running.discover import discover
from reconcile.output.url_explanation import compare_with_live, explain_text
from reconcile.system import Host
from reconcile.system.http import HttpAnswer, HttpTarget
from tests.nginx.running.conftest import World

pytestmark = pytest.mark.process


def asked(world: World, host: Host, path: str) -> tuple[Explanation, HttpAnswer]:
    request = parse_url(f"http://example.com:{world.port}{path}")
    target = HttpTarget("127.0.0.1", world.port, "example.com")
    return explain(discover(host), request), host.http.request(target, request.uri)


@pytest.mark.parametrize(
    "path",
    [
        "/static/css/app.css",
        "/static",
        "/static/",
        "/static/none",
        "/static/.env",
        "/media/evil.svg",
        "/media/photo.png",
        "/media/none",
        "/protected/report.txt",
        "/static../app.py",
    ],
)
def test_the_real_response_is_the_predicted_one(world: World, host: Host, path: str) -> None:
    world.serve()

    found, real = asked(world, host, path)

    rows = compare_with_live(found, real)
    assert [foretold for _, foretold, _ in rows] == [seen for _, _, seen in rows]
    assert path == "/static../app.py" or "status" in [name for name, _, _ in rows]


def test_a_redirect_of_a_foreign_server_is_shown_as_a_client_gets_it(
    world: World, host: Host
) -> None:
    (world.root / "static/css/inner").mkdir()
    world.nginx.site(
        "foreign",
        f"server {{ listen {world.port}; server_name example.com; root {world.root}/static; }}",
    )
    world.nginx.start()

    found, real = asked(world, host, "/css/inner")

    location = f"http://example.com:{world.port}/css/inner/"
    assert ("Location", (location,), (location,)) in compare_with_live(found, real)


def test_an_nginx_that_serves_something_older_differs(world: World, host: Host) -> None:
    world.serve()
    static, *others = world.view.locations
    world.write(locations=(replace(static, cache_control="no-store"), *others))

    found, real = asked(world, host, "/static/css/app.css")

    told = "differs  Cache-Control: predicted no-store, actual public, max-age=604800"
    assert told in explain_text("x", found, live=real)


def test_headers_that_cannot_be_predicted_are_shown_too(world: World, host: Host) -> None:
    world.serve()

    found, real = asked(world, host, "/")

    assert "also     X-Served-By: app" in explain_text("x", found, live=real)
