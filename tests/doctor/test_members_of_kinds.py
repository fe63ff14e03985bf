"""More members of the kinds of faults that rules report, each with a twin that is healthy."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.doctor.single_rule import found, noted

pytestmark = pytest.mark.process

STATIC = "location /static/ { alias {root}/static/; MORE }"
PASS = "proxy_pass http://127.0.0.1:1;"
APP = "location /api/ { proxy_pass http://127.0.0.1:1; MORE }"
ORIGIN = "add_header Access-Control-Allow-Origin"
LOGGED_IN = "add_header Access-Control-Allow-Credentials true always;"
MAP = "map $http_origin $cors { default ''; https://b.test $http_origin; }"


@dataclass(frozen=True)
class Member:
    """A rule, the lines of a server that have the fault, those that have not, and the report."""

    rule: str
    faulty: str
    healthy: str
    what: str


MEMBERS = {
    "two origins": Member(
        "cors",
        STATIC.replace("MORE", f"{ORIGIN} * always; {ORIGIN} https://a.test always;"),
        STATIC.replace("MORE", f"{ORIGIN} * always;"),
        "sends 2 Access-Control-Allow-Origin headers",
    ),
    "any origin, logged in": Member(
        "cors",
        APP.replace("MORE", f"{ORIGIN} $http_origin always; {LOGGED_IN} add_header Vary Origin;"),
        APP.replace("MORE", f"{ORIGIN} $cors always; {LOGGED_IN} add_header Vary Origin;"),
        "lets every site read",
    ),
    "a file with a slash": Member(
        "alias-slash",
        "location /robots.txt { alias {root}/static/a.css/; }",
        "location /robots.txt { alias {root}/static/a.css; }",
        "is a file, and ends with a slash",
    ),
    "a root that another location has": Member(
        "alias-target",
        f"location / {{ root {{root}}; {PASS} }} location /static/ {{ expires 1d; }}",
        f"root {{root}}; location / {{ {PASS} }} location /static/ {{ expires 1d; }}",
        "location /static/ of a.test has no root",
    ),
    "a location that serves no files": Member(
        "alias-target",
        "location /docs/ { expires 1d; }",
        "location /docs/ { deny all; } location /old/ { rewrite ^ /new/ redirect; }"
        " location /go/ { access_by_lua_file go.lua; }",
        "location /docs/ of a.test has no root",
    ),
    "a regex without a root": Member(
        "alias-target",
        r"location ~* \.(css|js)$ { expires 1d; }",
        r"location ~* (favicon\.ico|robots\.txt)$ { access_log off; log_not_found off; }"
        r" location ~ /\.ht { deny all; } location ~ \.css$ { root {root}; expires 1d; }"
        r" location ~ ^/r/ { rewrite_by_lua_block { ngx.exec('@app') } }"
        r" location ~ ^/in/ { passenger_enabled on; }",
        r"location ~* \.(css|js)$ of a.test has no root: nginx looks for everything",
    ),
    "a denial of what pages load": Member(
        "route-shadowed",
        STATIC.replace("MORE", "") + r"location ~* \.(css|map)$ { deny all; }",
        STATIC.replace("MORE", "")
        + r"location ~* \.map$ { deny all; } location ~ ^/static/a { return 404; }"
        r" location ~* \.css$ { allow 10.0.0.0/8; deny all; }",
        r"location ~* \.(css|map)$ takes 1 kind of files from location /static/",
    ),
    "a root inside of the location": Member(
        "route-shadowed",
        r"location /static/ { root {root}; location ~ \.css$ { root {root}/static; } }",
        r"location /static/ { root {root}; location ~ \.css$ { expires 1d; } }",
        r"location ~ \.css$ takes 1 kind of files from location /static/",
    ),
    "a folder in other letters": Member(
        "alias-target",
        "location /static/ { alias {root}/Static/; }",
        STATIC.replace("MORE", ""),
        "{root}/Static, served by location /static/ of a.test, does not exist; {root}/static does.",
    ),
    "a path that is joined to a name": Member(
        "lost-prefix",
        "location /api/ { proxy_pass http://127.0.0.1:1/v1; }",
        "location /api/ { proxy_pass http://127.0.0.1:1/v1/; }",
        "gets /v1x for /api/x",
    ),
    "a path that begins with two slashes": Member(
        "lost-prefix",
        "location /api { proxy_pass http://127.0.0.1:1/; }",
        f"location /api {{ {PASS} }} location = /a {{ proxy_pass http://127.0.0.1:1/; }}",
        "gets //x for /api/x",
    ),
    "a root that is listed": Member(
        "directory-listing",
        "root {root}; autoindex on;",
        "root {root}/static; autoindex on; index a.css;",
        "lists all of {root} to everybody",
    ),
    "an image that is gzip": Member(
        "content-types",
        STATIC.replace("MORE", ""),
        STATIC.replace("MORE", r"location ~ \.svgz$ { add_header Content-Encoding gzip; }"),
        "gzip inside",
    ),
}


@pytest.fixture
def place(public: Path) -> Path:
    for name in ("static", "media"):
        (public / name).mkdir()
    (public / "static/a.css").write_text("a{}")
    (public / "static/a.svgz").write_bytes(gzip.compress(b"<svg/>"))
    (public / "media/a.jpg").write_text("x")
    return public


@pytest.mark.parametrize("member", MEMBERS.values(), ids=MEMBERS)
def test_a_member_is_reported_and_its_twin_is_not(place: Path, member: Member) -> None:
    def wrong(lines: str) -> list[str]:
        types = "types { text/css css; image/svg+xml svgz; }"
        server = f"server {{ listen 80; server_name a.test; {lines} }}"
        return [one.what for one in found(member.rule, place, f"{MAP} {types} {server}")]

    [what] = wrong(member.faulty)

    assert member.what.replace("{root}", str(place)) in what
    assert [] == wrong(member.healthy)


def test_answers_that_differ_by_origin_without_vary_are_noted(place: Path) -> None:
    def notes(more: str) -> list[str]:
        lines = STATIC.replace("MORE", f"{ORIGIN} $cors always; {more}")
        server = f"server {{ listen 80; server_name a.test; {lines} }}"
        return [one.what for one in noted("cors", place, f"{MAP} {server}")]

    assert ["Vary" in one for one in notes("")] == [True]
    assert [] == notes("add_header Vary Origin always;")


LOGGED = '127.0.0.1 - - [28/Nov/2026:18:00:00 +0000] "GET {} HTTP/1.1" 404 153 "-" "Firefox"\n'


@pytest.mark.parametrize(
    ("saved", "requested", "fix"),
    [
        ("my_photo.jpg", "my%20photo.jpg", "Correct the link: the file is {root}/my_photo.jpg"),
        ("my photo.jpg", "my+photo.jpg", "Correct the link: the file is {root}/my photo.jpg"),
        ("Photo.jpg", "photo.jpg", "mv -n -- {root}/Photo.jpg {root}/photo.jpg"),
        ("other.jpg", "photo.jpg", ""),
    ],
)
def test_a_request_that_only_the_access_log_has_is_matched_with_near_names(
    place: Path, saved: str, requested: str, fix: str
) -> None:
    (place / "media" / saved).write_text("x")
    (place / "access.log").write_text(LOGGED.format(f"/media/{requested}"))
    lines = "location /media/ { alias {root}/media/; } access_log {root}/access.log;"

    findings = found("file-names", place, f"server {{ listen 80; server_name a.test; {lines} }}")

    expected = [fix.replace("{root}", f"{place}/media")] if fix else []
    assert expected == [one.fix.partition("  # ")[0] for one in findings]


def test_a_word_that_is_not_bound_to_the_start_of_the_path_is_noted(place: Path) -> None:
    def notes(location: str) -> list[str]:
        lines = f"{location} location / {{ {PASS} }}"
        server = f"server {{ listen 80; server_name a.test; {lines} }}"
        return [one.what for one in noted("greedy-regex", place, server)]

    [what] = notes("location ~ static { root {root}; }")
    assert "takes URLs of the app" in what
    assert [] == notes("location ~ ^/static { root {root}; }")
