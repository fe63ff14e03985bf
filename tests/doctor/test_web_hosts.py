"""Whole hosts in the trouble that people report: the cause comes first, and alone."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.doctor.on_hosts import ON_HOSTS
from tests.doctor.throwaway import Diagnosed, diagnose_hosts

pytestmark = ON_HOSTS
HOST = """
#: static /srv/www/static
#: mkdir -p /srv/www/media; echo ok >/srv/www/static/health.txt
{shell}
#: app 127.0.0.1:8000 deploy /srv
{http}
server {{
    listen 80;
    server_name example.com;
    {lines}
}}
"""
APP = "location / { proxy_pass http://127.0.0.1:8000; include proxy_params; }"
STATIC = "location /static/ { alias /srv/www/static/; %s }" + APP
VOLUME = "/var/lib/docker/volumes/web_static/_data"
YEAR = 'add_header Cache-Control "public, max-age=31536000, immutable"'
ENDINGS = r"location ~* \.(?:css|js|png|woff2)$ { root /srv/www; expires 30d; }"
ALLOW = "add_header Access-Control-Allow-Origin * always;"
FONTS = rf"location ~* \.(?:woff2|ttf)$ {{ root /srv/www; {ALLOW} }}"
SESSION = "if ($http_cookie ~ session) { set $member 1; }"
FORWARDED = "proxy_set_header Host $host; proxy_set_header X-Forwarded-Proto $scheme;"
PROXY = (
    "location / { proxy_pass http://127.0.0.1:8000; proxy_set_header X-Real-IP $remote_addr; %s }"
)
ZONE = "limit_req_zone $binary_remote_addr zone=a:1m rate=5r/s;"
CACHE = "open_file_cache max=1000 inactive=1h; open_file_cache_valid %s; open_file_cache_errors %s;"


@dataclass(frozen=True)
class Trouble:
    """A host that has it and its twin: shell, http and server of each; and what the fix has."""

    rule: str
    faulty: tuple[str, str, str]
    twin: tuple[str, str, str]
    fix: str


HOMES = "static /home/deploy/site/static; chmod 755 /home/deploy"
HOME = f"location /static/ {{ alias /home/deploy/site/static/; }} {APP}"
EDITORS = "group editors 4200 ''; chgrp -R 4200 /srv/www; chmod -R o= /srv/www"
JOIN = "group editors 4200 www-data"
MODULE = "echo 'export const a=1' >/srv/www/static/js/mod.mjs"
TROUBLES = {
    "static files from a docker volume": Trouble(
        "container-storage",
        (
            f"mkdir -p {VOLUME}/css; echo old >{VOLUME}/css/app.css;"
            " chmod 710 /var/lib/docker/volumes",
            "",
            f"location /static/ {{ alias {VOLUME}/; }} {APP}",
        ),
        ("", "", STATIC % ""),
        "cp -r",
    ),
    "reproducible builds": Trouble(
        "frozen-mtimes",
        ("touch -d @1 /srv/www/static/js/app.js", "", STATIC % ""),
        ("touch -d @1 /srv/www/static/js/app.js", "", STATIC % "etag off; if_modified_since off;"),
        "touch {} +",
    ),
    "an empty .gz beside a good file": Trouble(
        "stale-precompressed",
        (": >/srv/www/static/css/app.css.gz", "", STATIC % "gzip_static on;"),
        ("gzip -k /srv/www/static/css/app.css", "", STATIC % "gzip_static on;"),
        "rm /srv/www/static/css/app.css.gz",
    ),
    "alias with a capture, and try_files": Trouble(
        "try-files-misses",
        (
            "",
            "",
            r"location ~ ^/static/(.*)$ { alias /srv/www/static/$1; try_files $uri =404; }" + APP,
        ),
        ("", "", r"location ~ ^/static/(.*)$ { alias /srv/www/static/$1; }" + APP),
        "remove try_files",
    ),
    "`if` and try_files": Trouble(
        "if-drops-try-files",
        (
            "mkdir /srv/site; echo x >/srv/site/index.html",
            "",
            f"location / {{ root /srv/site; {SESSION} try_files $uri @app; }}"
            " location @app { proxy_pass http://127.0.0.1:8000; include proxy_params; }",
        ),
        (
            "mkdir /srv/site; echo x >/srv/site/index.html",
            "map $http_cookie $member { ~session 1; }",
            "location / { root /srv/site; try_files $uri @app; }"
            " location @app { proxy_pass http://127.0.0.1:8000; include proxy_params; }",
        ),
        'map $http_cookie $member { "~session" "1"; }',
    ),
    "a module as octet-stream": Trouble(
        "content-types",
        (MODULE, "", STATIC % ""),
        (MODULE, "types { text/javascript mjs; }", STATIC % ""),
        "types { text/javascript mjs; }",
    ),
    "`types {}` replaces the whole table": Trouble(
        "content-types",
        (MODULE, "", STATIC % "types { application/javascript mjs; }"),
        (MODULE, "", STATIC % "types { application/javascript mjs; } include mime.types;"),
        "include mime.types;",
    ),
    "a 404 that is immutable": Trouble(
        "cached-errors",
        ("", "", STATIC % f"{YEAR} always; try_files $uri =404;"),
        ("", "", STATIC % f"{YEAR}; try_files $uri =404;"),
        "remove `always`",
    ),
    "the CORS rule for fonts": Trouble(
        "unreachable-location",
        ("echo x >/srv/www/static/a.woff2", "", f"{ENDINGS} {FONTS} {APP}"),
        ("echo x >/srv/www/static/a.woff2", "", f"{FONTS} {ENDINGS} {APP}"),
        "move it above",
    ),
    "proxy headers lost in one location": Trouble(
        "proxy-header-loss",
        ("", "", FORWARDED + STATIC.replace(APP, PROXY % "") % ""),
        ("", "", FORWARDED + STATIC.replace(APP, PROXY % FORWARDED) % ""),
        "proxy_set_header Host $host;",
    ),
    "files that are gone, and others denied": Trouble(
        "open-file-cache",
        ("", CACHE % ("1h", "on"), STATIC % ""),
        ("", CACHE % ("10s", "off"), STATIC % ""),
        "open_file_cache_errors off;",
    ),
    "a home that nginx does not see": Trouble(
        "nginx-sandbox",
        (f"{HOMES}\n#: hidden /home", "", HOME),
        (HOMES, "", HOME),
        "below /srv or /var/www",
    ),
    "a group that came after the workers": Trouble(
        "stale-groups",
        (f"{EDITORS}\n#: later {JOIN}", "", STATIC % ""),
        (f"{EDITORS}; {JOIN}", "", STATIC % ""),
        "systemctl reload nginx",
    ),
    "a page with 30 assets": Trouble(
        "asset-limits",
        ("", ZONE, "limit_req zone=a burst=5 nodelay;" + STATIC % ""),
        ("", ZONE, "limit_req zone=a burst=50 nodelay;" + STATIC % ""),
        "add it to the app's location",
    ),
}


def host(shell: str, http: str, lines: str) -> str:
    return HOST.format(shell=f"#: {shell}" if shell else "", http=http, lines=lines)


@pytest.fixture(scope="module")
def diagnosed() -> dict[str, Diagnosed]:
    hosts = {f"{name}: faulty": host(*one.faulty) for name, one in TROUBLES.items()}
    twins = {f"{name}: twin": host(*one.twin) for name, one in TROUBLES.items()}
    numbered = {f"{number}.conf": text for number, text in enumerate((hosts | twins).values())}
    found = diagnose_hosts(numbered)
    return dict(zip(hosts | twins, found.values(), strict=True))


@pytest.mark.parametrize("name", TROUBLES)
def test_the_cause_is_named_alone_with_a_fix_that_opens_nothing_else(
    diagnosed: dict[str, Diagnosed], name: str
) -> None:
    found = diagnosed[f"{name}: faulty"]
    serious = [one for one in found["findings"] if one["severity"] != "note"]

    # A request that fails shows the symptom, and names the other findings as its cause.
    rules = [one["rule"] for one in serious if one["rule"] != "probe-static"]
    assert ([TROUBLES[name].rule], serious[0]["rule"]) == (rules, TROUBLES[name].rule), serious
    assert TROUBLES[name].fix in serious[0]["fix"]
    assert "chmod" not in serious[0]["fix"]
    assert serious[0]["evidence"]


@pytest.mark.parametrize("name", TROUBLES)
def test_its_twin_has_no_problem(diagnosed: dict[str, Diagnosed], name: str) -> None:
    found = diagnosed[f"{name}: twin"]

    assert [] == [one for one in found["findings"] if one["severity"] != "note"]
    assert (0, []) == (found["exit_code"], found["unknown"])
