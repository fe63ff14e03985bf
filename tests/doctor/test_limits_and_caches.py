"""Limits and caches of nginx that visitors notice: files refused, or sent as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doctor.single_rule import found

pytestmark = pytest.mark.process

ZONE = "limit_req_zone $binary_remote_addr zone=a:1m rate=5r/s;"
CONNECTIONS = "limit_conn_zone $binary_remote_addr zone=c:1m;"
APP = "location / { proxy_pass http://127.0.0.1:1; }"


def limits(root: Path, http: str, *lines: str, inside: str = "", role: str = "static") -> list[str]:
    folder = root / role
    folder.mkdir()
    for name in ("a.css", "b.css"):
        (folder / name).write_text("x")
    location = f"location /{role}/ {{ alias {folder}/; {inside} }}"
    server = "server {\nserver_name a.test;\n" + "\n".join([*lines, location, APP]) + "\n}"
    findings = found("asset-limits", root, f"{http}\n{server}")
    return [" ".join((one.what, *one.evidence, one.fix)) for one in findings]


LOW = {
    "of the server": (
        ZONE,
        "limit_req zone=a burst=5 nodelay;",
        "more than 6 files at once gets 503",
    ),
    "without a burst": (ZONE, "limit_req zone=a;", "more than 1 files at once gets 503"),
    "by the minute": (
        ZONE.replace("5r/s", "60r/m"),
        "limit_req zone=a burst=20; limit_req_status 429;",
        "more than 21 files at once gets 429",
    ),
    "of all servers": (f"{ZONE} limit_req zone=a burst=9;", "", "more than 10 files at once"),
    "connections": (CONNECTIONS, "limit_conn c 2;", "a browser needs 6 connections at once"),
    "requests over HTTP/2": (
        CONNECTIONS,
        "listen 443 ssl http2; limit_conn c 10;",
        "a browser needs 30 requests over HTTP/2",
    ),
}


@pytest.mark.parametrize(("http", "line", "effect"), LOW.values(), ids=LOW)
def test_asset_limits_reports(tmp_path: Path, http: str, line: str, effect: str) -> None:
    [text] = limits(tmp_path, http, line)

    assert effect in text
    assert "add it to the app's location" in text


ENOUGH = {
    "a burst of a page": (ZONE, "limit_req zone=a burst=50 nodelay;"),
    "a rate of a page": (ZONE.replace("5r/s", "50r/s"), "limit_req zone=a;"),
    "a dry run": (ZONE, "limit_req zone=a; limit_req_dry_run on;"),
    "a key that leaves files out": (
        "map $uri $key { ~^/static/ ''; default $remote_addr; }"
        " limit_req_zone $key zone=a:1m rate=5r/s;",
        "limit_req zone=a;",
    ),
    "as many connections as a browser has": (CONNECTIONS, "limit_conn c 10;"),
    "no limit": (ZONE, ""),
}


@pytest.mark.parametrize(("http", "line"), ENOUGH.values(), ids=ENOUGH)
def test_asset_limits_is_silent(tmp_path: Path, http: str, line: str) -> None:
    assert [] == limits(tmp_path, http, line)


def test_asset_limits_is_silent_for_the_apps_location(tmp_path: Path) -> None:
    login = "location /login { limit_req zone=a; proxy_pass http://127.0.0.1:1; }"

    assert [] == limits(tmp_path, ZONE, login)


def test_asset_limits_leaves_downloads_alone(tmp_path: Path) -> None:
    assert [] == limits(tmp_path, ZONE, "limit_req zone=a;", role="media")


def cached(root: Path, lines: str) -> list[str]:
    server = f"server {{ location /media/ {{ alias {root}/media/; }} }}"
    findings = found("open-file-cache", root, f"{lines}\n{server}")
    return [" ".join((one.what, *one.evidence, one.fix)) for one in findings]


STALE = {
    "an hour, and errors": (
        "open_file_cache_valid 1h; open_file_cache_errors on;",
        ["sent as they were, for up to 3600 s", "once stays 404, for up to 3600 s"],
    ),
    "an hour": ("open_file_cache_valid 1h;", ["sent as they were, for up to 3600 s"]),
    "errors": ("open_file_cache_errors on;", ["stays 404, for up to 60 s"]),
}


@pytest.mark.parametrize(("lines", "effects"), STALE.values(), ids=STALE)
def test_open_file_cache_reports(tmp_path: Path, lines: str, effects: list[str]) -> None:
    [text] = cached(tmp_path, f"open_file_cache max=1000 inactive=1h; {lines}")

    assert "nginx does not notice new files below location /media/" in text
    assert [] == [effect for effect in effects if effect not in text]
    assert "open_file_cache_valid 10s; open_file_cache_errors off;" in text


BRIEF = {
    "off": "open_file_cache off; open_file_cache_valid 1h;",
    "none": "open_file_cache_valid 1h; open_file_cache_errors on;",
    "the default": "open_file_cache max=1000;",
    "a few seconds of both": (
        "open_file_cache max=1000; open_file_cache_valid 10s; open_file_cache_errors on;"
    ),
}


@pytest.mark.parametrize("lines", BRIEF.values(), ids=BRIEF)
def test_open_file_cache_is_silent(tmp_path: Path, lines: str) -> None:
    assert [] == cached(tmp_path, lines)


TOO_LARGE = (
    "2026/11/28 10:00:00 [error] 7#7: *1 client intended to send too large body: 5000000 bytes,"
    ' client: 127.0.0.1, server: a.test, request: "POST /upload HTTP/1.1", host: "a.test",'
    ' referrer: "https://REFERRER/form"\n'
)


@pytest.mark.parametrize(("page", "is_foreign"), [("b.test", True), ("a.test", False)])
def test_body_limit_names_the_cors_that_a_browser_reports(
    tmp_path: Path, page: str, is_foreign: bool
) -> None:
    (tmp_path / "error.log").write_text(TOO_LARGE.replace("REFERRER", page))

    [finding] = found("body-limit", tmp_path, f"server {{ server_name a.test; {APP} }}")

    assert is_foreign == any("its browser reports CORS" in line for line in finding.evidence)


LIMITED = (
    '2026/11/28 10:00:00 [error] 7#7: *1 limiting requests, excess: 5.600 by zone "a", client:'
    ' 127.0.0.1, server: a.test, request: "GET /static/a.css HTTP/1.1", host: "a.test"\n'
)


def test_log_triage_reports_requests_over_a_limit(tmp_path: Path) -> None:
    (tmp_path / "error.log").write_text(LIMITED * 3)

    [finding] = found("log-triage", tmp_path, f"server {{ server_name a.test; {APP} }}")

    assert "refused requests over a limit of requests or connections, 3 times" in finding.what
    assert "GET /static/a.css" in finding.evidence[0]


CUT_OFF = (
    "2026/11/28 10:00:00 [error] 7#7: *1 upstream prematurely closed connection while reading"
    ' upstream, client: 127.0.0.1, server: a.test, request: "GET /film HTTP/1.1"\n'
)


def test_log_triage_reports_downloads_that_the_app_cut_off(tmp_path: Path) -> None:
    (tmp_path / "error.log").write_text(CUT_OFF)

    [finding] = found("log-triage", tmp_path, f"server {{ server_name a.test; {APP} }}")

    assert "an answer of the app was cut off" in finding.what
    assert "proxy_max_temp_file_size" in finding.fix
