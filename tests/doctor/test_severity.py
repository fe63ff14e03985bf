"""An error is what visitors or data suffer from now; what could be better is a note."""

from __future__ import annotations

import pytest

from tests.doctor.on_hosts import ON_HOSTS
from tests.doctor.throwaway import Diagnosed, diagnose_hosts

pytestmark = ON_HOSTS
SITE = """
#: static /srv/shop/static
#: media /srv/shop/media deploy
{shell}
#: app 127.0.0.1:8000 deploy /srv
server {{
    listen 80;
    server_name shop.example;
    {server}
    location / {{ proxy_pass http://127.0.0.1:8000; }}
}}
"""
FILES = "location /static/ { alias /srv/shop/static/; }"
OPEN = "location /static { alias /srv/shop/static; }"
PARENT = "location /static { alias /srv/shop/static/; }"
REGEX = FILES + r" location ~* \.css$ { root /srv/other; }"
LINKED = "location /media/ { alias /srv/shop/media/; }"
LONGER = " location /static/css/ { root /srv/other; }"
KEY = "/etc/letsencrypt/live/shop.example/privkey.pem"
TLS = """listen 443 ssl; ssl_certificate /etc/letsencrypt/live/shop.example/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/shop.example/privkey.pem;"""
AT_ROOT = """
#: mkdir -p /srv/shop/site/.git; echo KEY=1 >/srv/shop/site/.env; echo hi >/srv/shop/site/index.html
server {{
    listen 80;
    server_name shop.example;
    root /srv/shop/site;
    {deny}
    location / {{ try_files $uri $uri/ /index.html; }}
    location /api/ {{ return 204; }}
}}
"""


def site(server: str, *shell: str) -> str:
    return SITE.format(server=server, shell="\n".join(f"#: {line}" for line in shell))


def cached(value: str) -> str:
    header = f'add_header Cache-Control "{value}";'
    return f"location /static/ {{ alias /srv/shop/static/; expires 1d; {header} }}"


def planted(target: str) -> tuple[str, str]:
    return f"ln -s {target} /srv/shop/media/x.txt", "chown -h deploy: /srv/shop/media/x.txt"


HOSTS = {
    "traversal-leak: a copy beside it": (site(OPEN, "echo k >/srv/shop/static.zip"), "error"),
    "traversal-leak: a folder beside it": (site(OPEN, "static /srv/shop/static-old"), "error"),
    "traversal-leak: nothing beside it": (site(OPEN), "note"),
    "traversal-leak: code above it": (site(PARENT, "echo code >/srv/shop/app.py"), "error"),
    "traversal-leak: a secret above it": (
        site(PARENT, "echo k >/srv/shop/.env", "rm -r /srv/shop/media"),
        "error",
    ),
    "traversal-leak: nothing above it": (site(PARENT, "rm -r /srv/shop/media"), "note"),
    "traversal-leak: code above it that nginx cannot read": (
        site(
            PARENT, "echo code >/srv/shop/app.py; chmod 600 /srv/shop/app.py; rm -r /srv/shop/media"
        ),
        "note",
    ),
    "dotfile-exposure: a secret": (site(FILES, "echo k >/srv/shop/static/.env"), "error"),
    "dotfile-exposure: a repository": (
        site(FILES, "static /srv/shop/static/.git"),
        "error",
    ),
    "dotfile-exposure: no hidden file": (site(FILES), "note"),
    "dotfile-exposure: a marker of git": (site(FILES, "touch /srv/shop/static/.gitkeep"), "note"),
    "dotfile-exposure: in the root of the server": (AT_ROOT.format(deny=""), "error"),
    "dotfile-exposure: denied in the root of the server": (
        AT_ROOT.format(deny=r"location ~ /\. { deny all; }"),
        "",
    ),
    "route-shadowed: files that visitors do not get": (site(REGEX), "error"),
    "route-shadowed: the same files from elsewhere": (
        site(REGEX, "mkdir -p /srv/other/static; cp -r /srv/shop/static/css /srv/other/static/"),
        "note",
    ),
    "route-shadowed: by a longer prefix": (
        site(FILES + LONGER),
        "",
    ),
    "symlink-escape: from an upload to a secret": (
        site(
            LINKED,
            "ln -s /etc/passwd /srv/shop/media/p.txt; chown -h deploy: /srv/shop/media/p.txt",
        ),
        "error",
    ),
    "symlink-escape: from an upload to a folder, made by the app": (
        site(LINKED, *planted("/etc")),
        "error",
    ),
    "duplicate-cache-control: contradictory": (
        site(cached("no-store")),
        "warning",
    ),
    "duplicate-cache-control: two ages": (
        site(cached("max-age=60")),
        "warning",
    ),
    "duplicate-cache-control: one age twice": (site(cached("max-age=86400")), "note"),
    "duplicate-cache-control: that agree": (
        site(cached("public")),
        "note",
    ),
    "expires-over-proxy: pages": (site("expires 1d;" + FILES), "warning"),
    "expires-over-proxy: files of the app": (
        site("location /assets/ { expires 1d; proxy_pass http://127.0.0.1:8000; }"),
        "note",
    ),
    "served-by-app: files that the app serves": (
        site("").replace("deploy /srv\n", "deploy /srv/shop\n"),
        "note",
    ),
    "tls-key: that anybody can read": (
        site(TLS, "cert shop.example", f"chmod 644 {KEY}"),
        "warning",
    ),
    "tls-key: that the app can read": (
        site(TLS, "cert shop.example", f"chgrp deploy {KEY}; chmod 640 {KEY}"),
        "note",
    ),
    "tls-certificate: for another name": (
        site(TLS, "cert other.example", "cd /etc/letsencrypt/live; mv other.example shop.example"),
        "error",
    ),
}


@pytest.fixture(scope="module")
def diagnosed() -> dict[str, Diagnosed]:
    return diagnose_hosts({name: text for name, (text, _) in HOSTS.items()})


@pytest.mark.parametrize("name", HOSTS)
def test_a_finding_is_as_severe_as_what_it_does(diagnosed: dict[str, Diagnosed], name: str) -> None:
    rule, _, _ = name.partition(":")
    found = diagnosed[name]
    severities = {one["severity"] for one in found["findings"] if one["rule"] == rule}
    worst = next((one for one in ("error", "warning", "note") if one in severities), "")

    assert "syntax is ok" in found["test"], found
    assert HOSTS[name][1] == worst, found["findings"]
    assert [] == found["unknown"]
