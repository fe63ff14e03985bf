"""Where our prediction once differed from nginx: each a row that must agree for good."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.nginx.agreement import disagreements
from tests.support.real_nginx import lay_files

pytestmark = pytest.mark.process

ROWS = {
    "internal is inherited": ("GET", "/", "location / { internal; location /a { root r1; } }"),
    "204 has no type": ("GET", "/", "location / { return 204; }"),
    "an index below an alias that is a file": (
        *("GET", "/empty/"),
        "location /empty/ { alias @P@/r1/a/b/x.txt; }",
    ),
    "a rewrite cycle keeps the location's headers": (
        *("GET", "/a/b/c.css"),
        "location / { add_header X-Mark one always; rewrite ^/a/(.*) /a/$1; }",
    ),
    "autoindex is for GET and HEAD": ("POST", "/a/b/", "root @P@/r1; autoindex on;"),
    "autoindex cuts the last letter of an alias without its slash": (
        *("GET", "/a/"),
        "location /a/ { alias @P@/r1; index none; autoindex on; }",
    ),
    "an error page makes the method GET": (
        *("POST", "/a/"),
        "location / { root @P@/r2/a; error_page 403 /c.css;"
        " location = /c.css { root @P@/r2/a; if ($request_method = POST) { set $x 1; }"
        " try_files /none /none2; } }",
    ),
    "a captured question mark in a redirect": (
        *("GET", "/a%3Fb/%7Ec%20;&+d"),
        "location / { rewrite ^(.*)$ /a/$1? permanent; }",
    ),
    "a named location has its limit_except": (
        *("PUT", "/nope"),
        "location / { root r1; try_files $uri @one; }"
        " location @one { limit_except GET { deny all; } }",
    ),
    "the value of $uri keeps its bytes": ("GET", "/caf%C3%A9", "return 200 $uri;"),
    "a nested ^~ does not stop the server's regexes": (
        *("GET", "/a/c.css"),
        "location /a { location ^~ /a/ { return 200 nested; } }"
        r" location ~ \.css$ { return 200 regex; }",
    ),
    "an alias behind a rewrite and a break of its own": (
        *("GET", "/a/"),
        "location / { alias @P@/r1/; rewrite ^/a/(.*)$ /b/$1; break; }",
    ),
    "an app that is asked for nothing": (
        *("GET", "/"),
        "root @P@/r1; location = /index.html { root @P@/r1/a/b/x.txt; try_files $none =404;"
        " set $none ''; proxy_pass http://127.0.0.1:@UPSTREAM@; }",
    ),
    "an alias behind a break without a rewrite": (
        *("GET", "/a/"),
        "location / { alias @P@/r1/; break; }",
    ),
    "a fallback of try_files with variables, below an alias": (
        *("GET", "/nope"),
        "location / { alias @P@/r1; try_files $uri /index.html?$args; }",
    ),
    "the same in a longer location": (
        *("GET", "/a/nope"),
        "location /a/ { alias @P@/r1/; try_files $uri /a/c.css$args; }",
    ),
    "an alias behind the server's rewrite and break": (
        *("GET", "/a/"),
        "rewrite ^/a/(.*)$ /b/$1; break; location / { alias @P@/r1/; }",
    ),
}


@pytest.mark.parametrize(("method", "uri", "server"), ROWS.values(), ids=ROWS.keys())
def test_it_agrees(tmp_path: Path, method: str, uri: str, server: str) -> None:
    tmp_path.chmod(0o755)
    lay_files(tmp_path)

    assert [] == disagreements(tmp_path, server, [uri], method)
