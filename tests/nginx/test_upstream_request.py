"""What an upstream receives is what was predicted: its path, and each header that nginx sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.nginx.routing.upstream_request import passed_headers
from tests.support.ports import free_port
from tests.support.real_nginx import lay_files, running

pytestmark = pytest.mark.process

URIS = [
    *("/", "/a", "/a/", "/a/b/x.txt?q=1", "/a/%7Ec%20d", "/a//b/../c", "/a/caf%C3%A9?x=%20"),
    *("/b/c.css", "/a/b%2Fc", "/a/nope", "/a/c.css", "/a/;x&+=?a;b", "/a/%3F?", "/a/x#y"),
]
LOCATIONS = {
    "without a path": "location / { proxy_pass @U@; }",
    "with the root": "location / { proxy_pass @U@/; }",
    "a path in place of the location": "location /a/ { proxy_pass @U@/app/; }",
    "a location without its slash": "location /a { proxy_pass @U@/app/; }",
    "a path without its slash": "location /a/ { proxy_pass @U@/app; }",
    "a regex": "location ~ ^/(a|b) { proxy_pass @U@; }",
    "a regex and a path of its groups": (
        "location ~ ^/a/([a-z/.]*)$ { proxy_pass @U@/x/$1$is_args$args; }"
    ),
    "a variable without a path": "set $u @U@; location / { proxy_pass $u; }",
    "a variable and the URI": "location / { proxy_pass @U@$request_uri; }",
    "a rewrite": "location / { rewrite ^/a/(.*) /other/$1 break; proxy_pass @U@; }",
    "a rewrite and a path": "location /a/ { rewrite ^/a/(.*) /o/$1 break; proxy_pass @U@/p/; }",
    "a rewrite of the server": "rewrite ^/a/(.*) /b/$1; location / { proxy_pass @U@; }",
    "a named location": (
        "root @P@/r1; location / { try_files $uri @app; } location @app { proxy_pass @U@; }"
    ),
    "an internal redirect": (
        "root @P@/r1; location / { try_files $uri /b/app$uri?$args; }"
        " location /b/ { proxy_pass @U@; }"
    ),
    "an internal redirect to a path": (
        "root @P@/r1; location / { try_files $uri /b/app$uri?$args; }"
        " location /b/ { proxy_pass @U@/z/; }"
    ),
    "an if": "location /a/ { if ($args) { proxy_pass @U@; } proxy_pass @U@/y/; }",
    "an exact location": "location = /a { proxy_pass @U@/one; } location / { proxy_pass @U@; }",
}
HEADERS = {
    "defaults": "",
    "one": "proxy_set_header X-A $uri;",
    "the host": "proxy_set_header Host $host; proxy_set_header X-A $proxy_host-$proxy_port;",
    "nothing": 'proxy_set_header X-A ""; proxy_set_header Connection "";',
    "an outer one is lost": "proxy_set_header X-B 1;",
    "an address": "proxy_set_header X-A $remote_addr; proxy_set_header X-B $scheme;",
    "a chain": "proxy_set_header X-A $proxy_add_x_forwarded_for;",
}
ECHO = "$request_uri|$http_host|$http_connection|$http_x_a|$http_x_b"
SENT = ("Host", "Connection", "X-A", "X-B")


@pytest.mark.parametrize("locations", LOCATIONS.values(), ids=LOCATIONS.keys())
def test_the_path(tmp_path: Path, locations: str) -> None:
    assert_received(tmp_path, locations, URIS)


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS.keys())
def test_the_headers(tmp_path: Path, headers: str) -> None:
    locations = f"proxy_set_header X-A outer; location / {{ {headers} proxy_pass @U@; }}"

    assert_received(tmp_path, locations, ["/a"])


def assert_received(prefix: Path, locations: str, uris: list[str]) -> None:
    prefix.chmod(0o755)
    lay_files(prefix)
    port, upstream = free_port(), free_port()
    text = locations.replace("@U@", f"http://127.0.0.1:{upstream}").replace("@P@", str(prefix))
    http = f"""
        server {{ listen 127.0.0.1:{port}; {text} }}
        server {{ listen 127.0.0.1:{upstream}; location / {{ return 200 "{ECHO}"; }} }}
    """
    predicted, received = {}, {}
    with running(prefix, http, port) as nginx:
        assert nginx is not None, (prefix / "start.log").read_text()
        for uri in uris:
            route = nginx.predict(uri)
            if route.answer.kind == "pass" and route.passed_uri:
                sent = {header.name: header.value or "" for header in passed_headers(route)}
                values = [route.passed_uri.uri, *(sent.get(name, "") for name in SENT)]
                predicted[uri] = "|".join(values)
                received[uri] = nginx.ask(uri).body.decode()
    assert received == predicted != {}
