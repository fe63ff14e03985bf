"""What clients do to a connection, and what scanners request, is no fault of the app."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.doctor.single_rule import ask, configured

pytestmark = pytest.mark.process

HTTP = """
log_format logged '$request|$status|$upstream_addr|$http_user_agent';
server {{
    listen 127.0.0.1:8099;
    server_name shop.test;
    access_log {root}/access.log logged;
    location = /static {{ return 301 /static/; }}
    location /static/ {{ alias {root}/static/; location ~ /\\. {{ return 404; }} }}
    location / {{ proxy_pass http://127.0.0.1:1; }}
}}
"""
CLIENT = "client: 10.0.0.9, server: shop.test"


def whats(root: Path, *, errors: str = "", requests: str = "") -> list[str]:
    (root / "static").mkdir(exist_ok=True)
    at = time.strftime("%Y/%m/%d %H:%M:%S")
    (root / "error.log").write_text(f"{at} {errors}\n" if errors else "")
    (root / "access.log").write_text(f"GET {requests} HTTP/1.1|200|127.0.0.1:1|curl\n")
    found = ask("log-triage", configured(root, HTTP.format(root=root)), root)
    return [finding.what for finding in found.findings]


@pytest.mark.parametrize(
    "line",
    [
        "[info] 7#7: *1 recv() failed (104: Connection reset by peer) while reading client request"
        f" headers, {CLIENT}",
        "[info] 7#7: *1 recv() failed (104: Connection reset by peer) while waiting for request,"
        f" {CLIENT}",
        "[info] 7#7: *1 recv() failed (104: Connection reset by peer) while sending to client,"
        f' {CLIENT}, request: "GET / HTTP/1.1", upstream: "http://127.0.0.1:1/"',
        f"[info] 7#7: *1 client prematurely closed connection, {CLIENT}",
    ],
)
def test_a_client_that_resets_its_connection_is_no_failure_of_the_app(
    tmp_path: Path, line: str
) -> None:
    assert [] == whats(tmp_path, errors=line)


@pytest.mark.parametrize(
    "line",
    [
        "[error] 7#7: *1 recv() failed (104: Connection reset by peer) while reading response"
        f" header from upstream, {CLIENT}",
        "[error] 7#7: *1 readv() failed (104: Connection reset by peer) while reading upstream,"
        f" {CLIENT}",
        "[error] 7#7: *1 upstream prematurely closed connection while reading response header from"
        f" upstream, {CLIENT}",
    ],
)
def test_an_app_that_resets_it_is(tmp_path: Path, line: str) -> None:
    [what] = whats(tmp_path, errors=line)

    assert "the app aborted its answer" in what


@pytest.mark.parametrize(
    "uri",
    [
        "/static/../etc/app.css",
        "/static/%2e%2e/app.css",
        "/static/a/../../app.css",
        "//static/../app.css",
        "/static/%zz/app.css",
    ],
)
def test_what_dots_lead_out_of_the_location_is_no_file_of_it(tmp_path: Path, uri: str) -> None:
    assert [] == whats(tmp_path, requests=uri)


@pytest.mark.parametrize("uri", ["/assets/app.css", "/assets/x/../app.css", "//assets//./app.css"])
def test_a_file_that_the_app_answers_is(tmp_path: Path, uri: str) -> None:
    [what] = whats(tmp_path, requests=uri)

    assert "The app, not nginx, answers for 1 file" in what
