"""What is foretold of a URL beside what nginx really answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconcile.nginx.explanation import Explanation, explain
from reconcile.nginx.routing.url import as_sent, parse_url
from reconcile.nginx.running.discover import discover
from reconcile.output.url_explanation import explain_text
from reconcile.output.url_explanation_document import compare_with_live
from reconcile.system import Host
from reconcile.system.http import HttpAnswer, HttpTarget
from tests.nginx.running.conftest import World

pytestmark = pytest.mark.process


def asked(world: World, host: Host, path: str, **sent: Any) -> tuple[Explanation, HttpAnswer]:
    request = as_sent(parse_url(f"http://example.com:{world.port}{path}"), **sent)
    answer = host.http.request(
        HttpTarget("127.0.0.1", world.port, "example.com"),
        request.uri,
        method=request.method,
        headers=tuple(request.headers.items()),
        body=bytes(request.body_length),
    )
    return explain(discover(host), request), answer


CONDITIONS = """
    server {{
        listen {port}; server_name example.com; root {root}/static; client_max_body_size 4k;
        if ($http_cookie ~ "beta=1") {{ return 210 beta; }}
        if ($http_accept ~ webp) {{ return 211 webp; }}
        if ($request_method = DELETE) {{ return 212 gone; }}
        if ($http_user_agent = "") {{ return 444; }}
        location /upload {{ client_max_body_size 8k; return 213 taken; }}
        location /read {{ limit_except GET {{ deny all; }} root {root}/static; }}
    }}
"""
SENT: dict[str, tuple[str, dict[str, Any]]] = {
    "a cookie": ("/css/app.css", {"cookies": ["a=b", "beta=1"]}),
    "a cookie as a header": ("/css/app.css", {"headers": ["Cookie: beta=1"]}),
    "another cookie": ("/css/app.css", {"cookies": ["beta=2"]}),
    "a header": ("/css/app.css", {"headers": ["Accept: image/webp"]}),
    "a method": ("/css/app.css", {"method": "DELETE"}),
    "HEAD": ("/css/app.css", {"method": "HEAD"}),
    "a method that is not allowed": ("/read", {"method": "PUT"}),
    "a method in lower case": ("/css/app.css", {"method": "get"}),
    "no user agent": ("/css/app.css", {"headers": ["User-Agent:"]}),
    "a body at the limit": ("/upload", {"method": "POST", "body_length": 8192}),
    "a body beyond it": ("/upload", {"method": "POST", "body_length": 8193}),
    "a body beyond the limit of the server": ("/x", {"method": "POST", "body_length": 4097}),
    "nothing": ("/css/app.css", {}),
}


@pytest.mark.parametrize(("path", "sent"), SENT.values(), ids=SENT.keys())
def test_what_is_sent_decides_as_it_does_for_nginx(
    world: World, host: Host, path: str, sent: dict[str, Any]
) -> None:
    world.nginx.site("foreign", CONDITIONS.format(port=world.port, root=world.root))
    world.nginx.start()

    found, real = asked(world, host, path, **sent)

    status = found.route.answer.status
    assert status == (444 if real.error else real.status)


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


def test_what_the_app_receives_is_shown(world: World, host: Host) -> None:
    world.serve()

    found, real = asked(world, host, "/a%20b?q=1")

    assert found.route.passed_uri is not None
    assert "/a%20b?q=1" == found.route.passed_uri.uri
    sent = {header.name: header.value for header in found.passed_headers}
    received = dict(line.split("=", 1) for line in real.body.decode().splitlines())
    assert {name: value for name, value in received.items() if value != "None"} == {
        name: value for name, value in sent.items() if name in received
    }


@pytest.mark.parametrize(
    ("there", "asked_for", "differs"),
    [
        ("Logo.PNG", "/static/css/logo.png", "letter case"),
        ("caf\u00e9.css", "/static/css/cafe%CC%81.css", "Unicode form"),
        ("a b.css", "/static/css/ab.css", "blanks"),
        ("a%20b.css", "/static/css/a%20b.css", "percent-encoding"),
        ("a.css.", "/static/css/a.css", "dot at the end"),
    ],
)
def test_a_name_similar_to_the_missing_one_is_shown(
    world: World, host: Host, there: str, asked_for: str, differs: str
) -> None:
    (world.root / "static/css" / there).touch()
    world.serve()

    found, real = asked(world, host, asked_for)

    [near] = found.near
    assert 404 == real.status
    assert (f"{world.root}/static/css/{there}", differs) == (near.path, near.differs)
    assert f"differs in its {differs}" in explain_text("x", found)


def test_without_a_similar_name_nothing_is_shown(world: World, host: Host) -> None:
    world.serve()

    assert () == asked(world, host, "/static/css/other.css")[0].near
    assert () == asked(world, host, "/static/css/app.css")[0].near


def test_the_paths_that_try_files_asked_for_are_shown(world: World, host: Host) -> None:
    text = f"root {world.root}/static; try_files $uri $uri/ /css/app.css;"
    world.nginx.site("s", f"server {{ listen {world.port}; server_name example.com; {text} }}")
    world.nginx.start()

    found, real = asked(world, host, "/route")

    tried = [(one.path.removeprefix(f"{world.root}"), one.kind) for one in found.route.tried]
    assert 200 == real.status
    assert [("/static/route", "missing"), ("/static/route/", "missing")] == tried[:2]
    assert "Tried\n  missing    " in explain_text("x", found)
