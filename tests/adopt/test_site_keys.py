"""What a hand-written server says exactly as a key does is read as that key."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adopt.handwritten import read

APP = "location / { proxy_pass http://unix:/run/gunicorn.sock; }"
TLS = "listen 443 ssl; ssl_certificate /c.pem; ssl_certificate_key /k.pem;"
FILES = {
    "/etc/nginx/htpasswd": "anna:x\n",
    "/srv/errors/404.html": "no",
    "/srv/errors/50x.html": "x",
}


def site(lines: str, main: str = "", app: str = APP) -> dict[str, Any]:
    """The one site of a server with these lines."""
    text = f"{main} server {{ listen 80; server_name a.test; {lines} {app} }}"
    [entry] = read(text, included=FILES).sites.values()
    found: dict[str, Any] = entry
    return found


REDIRECTS = [
    ("location = /old { return 301 /new; }", {"/old": "/new"}),
    ("location = /old { return 302 https://b.test/x?y=z; }",
     {"/old": {"to": "https://b.test/x?y=z", "status": 302}}),
    ("location = /old { return 301 /new$is_args$args; }", {"/old": "/new"}),
    ("rewrite ^/old/(.*)$ /new/$1 permanent;", {"/old/": "/new/"}),
    ("rewrite ^/old$ /new redirect;", {"/old": {"to": "/new", "status": 302}}),
    ("location /old/ { rewrite ^/old/(.*)$ https://b.test/$1 permanent; }",
     {"/old/": "https://b.test/"}),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "expected"), REDIRECTS)
def test_redirects_are_read(lines: str, expected: dict[str, Any]) -> None:
    found = site(lines)

    assert expected == found["redirects"]
    assert "extra" not in found


@pytest.mark.parametrize(
    "lines",
    [
        "location = /old { return 301 $scheme://b.test/; }",
        "location = /old { add_header A b; return 301 /new; }",
        "rewrite ^/old/(\\d+)$ /new/$1 permanent;",
        "rewrite ^/old/(.*)$ /new/$1 last;",
        "location /old/ { return 301 /new/; }",
        "if ($host = b.test) { return 301 /x; }",
    ],
)
def test_a_redirect_that_no_key_expresses_stays_a_directive(lines: str) -> None:
    found = site(lines)

    assert "redirects" not in found
    assert lines.split("{")[0].strip() in found["extra"]


def test_other_names_that_lead_to_a_site_are_its_redirect_from() -> None:
    text = f"server {{ listen 80; server_name a.test; {APP} }}"
    names = "server_name www.a.test old.test; return 301 https://a.test$request_uri;"
    www = f"server {{ listen 80; {names} }}"

    found = read(text, www)

    assert ["www.a.test", "old.test"] == found.sites["site0"]["redirect_from"]
    assert ["site0"] == [*found.sites]
    assert "/etc/nginx/sites-available/site1" in found.spec.paths
    assert not any("is not read as a site" in note for note in found.notes)


PAGES = "location = /404.html { internal; root /srv/errors; }"


def test_error_pages_are_read_with_their_files() -> None:
    found = site(
        f"error_page 404 /404.html; {PAGES} error_page 500 502 503 504 /50x.html;"
        " location = /50x.html { internal; alias /srv/errors/50x.html; }"
        " proxy_intercept_errors on;"
    )

    assert {
        "404": "/srv/errors/404.html",
        "50x": "/srv/errors/50x.html",
        "intercept": True,
    } == found["error_pages"]
    assert "extra" not in found


@pytest.mark.parametrize(
    "lines",
    [
        f"error_page 404 =200 /404.html; {PAGES}",
        "error_page 404 /404.html; location = /404.html { root /srv/errors; }",
        "error_page 404 /none.html; location = /none.html { internal; root /srv/errors; }",
        "error_page 404 @app; location @app { return 404; }",
    ],
)
def test_an_error_page_that_no_key_expresses_stays_a_directive(lines: str) -> None:
    found = site(lines)

    assert "error_pages" not in found
    assert "error_page 404" in found["extra"]


@pytest.mark.parametrize(
    "inside",
    [
        "root /srv/errors; rewrite ^(.*)$ /404.html break;",
        "internal; root /srv/errors; rewrite ^ /404.html break;",
        "root /srv/errors; try_files /404.html =404;",
    ],
)
def test_an_error_page_of_a_named_location_is_read(inside: str) -> None:
    found = site(f"error_page 404 @missing; location @missing {{ {inside} }}")

    assert {"404": "/srv/errors/404.html"} == found["error_pages"]
    assert "extra" not in found


@pytest.mark.parametrize(
    "inside",
    [
        "root /srv/errors; rewrite ^(.*)$ /404.html last;",
        "root /srv/errors; rewrite ^/a$ /404.html break;",
        "root /srv/errors; try_files $uri /404.html =404;",
        "root /srv/errors; try_files /404.html @app;",
        "root /srv/errors; rewrite ^ /404.html break; proxy_pass http://127.0.0.1:9;",
        "root /srv/none; rewrite ^ /404.html break;",
    ],
)
def test_a_named_location_that_sends_more_than_a_page_stays_a_directive(inside: str) -> None:
    found = site(f"error_page 404 @missing; location @missing {{ {inside} }}")

    assert "error_pages" not in found
    assert "error_page 404 @missing" in found["extra"]


BASIC = "auth_basic Staging; auth_basic_user_file /etc/nginx/htpasswd;"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (BASIC, {"basic": "/etc/nginx/htpasswd"}),
        ("allow 10.0.0.0/8; allow ::1; deny all;", {"allow": ["10.0.0.0/8", "::1"]}),
        ("allow ::1; allow 0:0::1; deny all;", {"allow": ["::1"]}),
        (
            f"satisfy any; allow 10.1.2.3; deny all; {BASIC}",
            {"basic": "/etc/nginx/htpasswd", "allow": ["10.1.2.3"], "satisfy": "any"},
        ),
        (
            f"allow 10.1.2.3; deny all; {BASIC}",
            {"basic": "/etc/nginx/htpasswd", "allow": ["10.1.2.3"], "satisfy": "all"},
        ),
    ],
)
def test_access_is_read(lines: str, expected: dict[str, Any]) -> None:
    found = site(lines)

    assert expected == found["access"]
    assert "extra" not in found


@pytest.mark.parametrize(
    "lines",
    [
        "deny 10.0.0.1; allow all;",
        "allow 10.0.0.0/8;",
        "allow 0.0.0.0/1; allow 128.0.0.0/1; deny all;",
        "auth_basic x; auth_basic_user_file /etc/nginx/none;",
        "auth_basic off;",
    ],
)
def test_an_access_that_no_key_expresses_stays_a_directive(lines: str) -> None:
    found = site(lines)

    assert "access" not in found
    assert lines.split(";")[0] in found["extra"]


def test_trusted_proxies_are_read() -> None:
    lines = "set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For; real_ip_recursive on;"

    assert ["10.0.0.0/8"] == site(lines)["trusted_proxies"]
    assert "trusted_proxies" not in site(lines.replace("recursive on", "recursive off"))


@pytest.mark.parametrize(
    ("lines", "key", "expected"),
    [
        ("gzip off;", "gzip", False),
        (f"{TLS} http2 on;", "http2", True),
        (TLS.replace("443 ssl", "443 ssl http2"), "http2", True),
    ],
)
def test_gzip_and_http2_are_read(lines: str, key: str, expected: bool) -> None:
    assert expected is site(lines)[key]


def app(lines: str, main: str = "") -> dict[str, Any]:
    found: dict[str, Any] = site("", main, f"location / {{ {lines} }}")["app"]
    return found


UPGRADE = (
    "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;"
    ' proxy_set_header Connection "upgrade";'
)
PASS = "proxy_pass http://127.0.0.1:8000;"


def test_the_keys_of_the_app_are_read() -> None:
    found = app(f"{PASS} {UPGRADE} proxy_read_timeout 2m; proxy_send_timeout 120s;")

    assert {"upstream": "http://127.0.0.1:8000", "websocket": True, "timeout": "120s"} == found


def test_timeouts_that_differ_are_reported_and_not_read() -> None:
    assert "timeout" not in app(f"{PASS} proxy_read_timeout 2m; proxy_send_timeout 1m;")


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("server 127.0.0.1:1; server unix:/run/b.sock;",
         ["http://127.0.0.1:1", "unix:/run/b.sock"]),
        ("server 127.0.0.1:1 weight=2; server 127.0.0.1:2;", None),
        ("least_conn; server 127.0.0.1:1; server 127.0.0.1:2;", None),
    ],
)  # fmt: skip
def test_a_plain_group_is_a_list_of_upstreams(group: str, expected: list[str] | None) -> None:
    found = site("", f"upstream backend {{ {group} }}", "location / { proxy_pass http://backend; }")

    assert expected == found.get("app", {}).get("upstream")


ZONE = "limit_req_zone $binary_remote_addr zone=z:10m rate=10r/s;"
LOCATIONS = [
    ("location /api/ { proxy_pass http://127.0.0.1:9000/; client_max_body_size 1m; }",
     {"/api/": {"role": "proxy", "upstream": "http://127.0.0.1:9000", "strip_prefix": True,
                "max_upload": "1MB"}}),
    ("location = /login { proxy_pass http://unix:/run/gunicorn.sock; limit_req_status 429;"
     " limit_req zone=z burst=20 nodelay; }",
     {"/login": {"role": "proxy", "rate_limit": {"rate": "10r/s", "burst": 20}}}),
    (f"location /ws/ {{ proxy_pass http://unix:/run/gunicorn.sock; {UPGRADE}"
     " proxy_read_timeout 1h; }",
     {"/ws/": {"role": "proxy", "websocket": True, "timeout": "3600s"}}),
    (f"location /admin/ {{ proxy_pass http://unix:/run/gunicorn.sock; {BASIC} }}",
     {"/admin/": {"role": "proxy", "access": {"basic": "/etc/nginx/htpasswd"}}}),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "expected"), LOCATIONS)
def test_locations_that_are_passed_on_are_read(lines: str, expected: dict[str, Any]) -> None:
    found = site(lines, ZONE)

    assert expected == found["locations"]
    assert "extra" not in found


@pytest.mark.parametrize(
    "inside",
    [
        "proxy_pass http://127.0.0.1:9000/other/;",
        "proxy_pass http://127.0.0.1:9000; proxy_buffering off;",
        "proxy_pass http://127.0.0.1:9000; limit_req zone=z burst=5; limit_req_status 429;",
        "proxy_pass http://127.0.0.1:9000; proxy_set_header X-Tenant a;",
        "proxy_pass https://127.0.0.1:9000;",
    ],
)
def test_a_location_that_no_key_expresses_stays_a_directive(inside: str) -> None:
    found = site(f"location /api/ {{ {inside} }}", ZONE)

    assert "locations" not in found
    assert inside.split(";")[0] in found["extra"]
