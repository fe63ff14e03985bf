"""Where the list of what visitors will notice is empty, the same requests get the same answers."""

from __future__ import annotations

import pytest

from tests.impact.conftest import YAML, GuidesHost

pytestmark = pytest.mark.process

PASS = "proxy_pass http://unix:/run/gunicorn.sock;"
HEADERS = """
    proxy_set_header Host $host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $host;
"""
APP = f"location / {{ {PASS} }}"


def noticed(guide: GuidesHost, *lines: str, beside: str = "") -> dict[str, tuple[str, str]]:
    """What is noticed of taking over a hand-written server with these lines."""
    for name in ("index.html", "favicon.ico", "docs/guide.html", "docs/img/a.png"):
        guide.write(f"html/{name}", name)
    server = f"{beside} server {{ listen 80; server_name example.com; {' '.join(lines)} }}"
    guide.write("nginx/sites-available/myapp.conf", server)
    return guide.noticed()


@pytest.mark.parametrize(
    ("lines", "path", "was"),
    [
        (
            f"root ROOT/html; location / {{ try_files $uri @app; }} location @app {{ {PASS} }}",
            "/favicon.ico",
            "file ROOT/html/favicon.ico",
        ),
        (
            "root ROOT/html; location / { try_files $uri /index.html; }",
            "/reconcile-no-such-page",
            "file ROOT/html/index.html",
        ),
        (
            f"error_page 404 =200 /index.html; location = /index.html {{ root ROOT/html; }} {APP}",
            "/index.html",
            "file ROOT/html/index.html",
        ),
        (
            f"location /docs/ {{ alias ROOT/html/docs/; }} {APP}",
            "/docs/guide.html",
            "file ROOT/html/docs/guide.html",
        ),
        (
            f"location /docs/ {{ root ROOT/html; }} {APP}",
            "/docs/img/a.png",
            "file ROOT/html/docs/img/a.png",
        ),
        (f"location = /ping {{ return 200 pong; }} {APP}", "/ping", "200 from nginx itself"),
        (f"location /old/ {{ return 301 /new/; }} {APP}", "/old/", "301 to /new/"),
    ],
)
def test_what_only_the_old_file_answers_is_listed(
    guide: GuidesHost, lines: str, path: str, was: str
) -> None:
    found = noticed(guide, lines)

    [before] = {before for url, (before, _) in found.items() if f"example.com{path}" in url}
    assert was == before.partition(", ")[0]


@pytest.mark.parametrize(
    ("lines", "listed"),
    [
        ("add_header X-Frame-Options DENY always;", "no X-Frame-Options"),
        ('add_header Content-Security-Policy "default-src x" always;', "no Content-Security-Pol"),
        ("expires 1h;", "Cache-Control: max-age=3600"),
    ],
)
def test_a_header_that_is_lost_is_listed(guide: GuidesHost, lines: str, listed: str) -> None:
    found = noticed(guide, lines, f"location / {{ {PASS} {HEADERS} }}")

    assert any(listed in f"{before} {after}" for before, after in found.values())


def test_a_type_that_changes_is_listed(guide: GuidesHost) -> None:
    static = "location /static/ { alias ROOT/www/static/; types { text/x-own css; } }"
    static += 'add_header Cache-Control "public, max-age=604800";'

    found = noticed(guide, APP, static)

    _, after = found["GET http://example.com/static/css/app.css over IPv4"]
    assert "Content-Type: text/css" in after


def test_a_header_that_the_app_gets_otherwise_is_listed(guide: GuidesHost) -> None:
    found = noticed(guide, f"location / {{ {PASS} {HEADERS.replace('$host', 'other.test')} }}")

    _, after = found["GET http://example.com/ over IPv4"]
    assert "the app gets Host: example.com" in after


def test_content_that_changes_is_listed(guide: GuidesHost) -> None:
    guide.apply()
    guide.write("app/static/css/app.css", "changed")

    found = guide.noticed()

    assert ["GET http://example.com/static/css/app.css"] == [*found]
    assert found["GET http://example.com/static/css/app.css"][1].endswith(", other content")


def test_the_list_names_no_lines(guide: GuidesHost) -> None:
    found = noticed(guide, "location / { deny all; }")

    assert found
    assert not any(f".conf:{n}" in text for pair in found.values() for text in pair for n in "1234")


def test_ports_are_no_lines(guide: GuidesHost) -> None:
    found = noticed(guide, "location / { proxy_pass http://127.0.0.1:8001; }")

    assert "proxied to http://127.0.0.1:8001" == found["GET http://example.com/ over IPv4"][0]


def test_what_is_the_same_to_visitors_is_not_listed(guide: GuidesHost) -> None:
    guide.apply()
    written = guide.site_file.read_text()
    guide.site_file.write_text(written.replace("server {", "# a comment\nserver {"))

    assert {} == guide.noticed()


def test_a_group_of_one_server_is_that_server(guide: GuidesHost) -> None:
    group = "upstream shop { server unix:/run/gunicorn.sock; }"
    guide.apply()
    written = guide.site_file.read_text()
    direct = "http://unix:/run/gunicorn.sock"
    guide.site_file.write_text(group + written.replace(direct, "http://shop"))

    assert {} == guide.noticed()


def test_a_file_that_is_served_from_elsewhere_with_the_same_content_is_not_listed(
    guide: GuidesHost,
) -> None:
    guide.apply()
    guide.write("copy/css/app.css", "x")
    written = guide.site_file.read_text()
    guide.site_file.write_text(written.replace(f"{guide.root}/www/static/", f"{guide.root}/copy/"))

    assert not any("app.css" in url for url in guide.noticed())


def test_an_unchanged_plan_lists_nothing(guide: GuidesHost) -> None:
    guide.yaml = YAML
    guide.apply()

    assert {} == guide.noticed()
