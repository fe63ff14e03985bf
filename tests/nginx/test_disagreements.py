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
    "a fallback that loses its location's name": (
        *("GET", "/help/css/nope.css"),
        "location /help { alias @P@/r1/; try_files $uri.html $uri; }"
        ' location / { return 200 "root: $uri"; }',
    ),
    "a fallback that loses its location's slash as well": (
        *("GET", "/help/css/nope.css"),
        "location /help/ { alias @P@/r1/; try_files $uri /help/old$uri; }",
    ),
    "a candidate that does not begin with its location's name": (
        *("GET", "/a/b/c.css"),
        "location /a/ { alias @P@/r1/; try_files /b$uri =404; }",
    ),
    "a malformed URI gets the error page of the first server": (
        *("GET", "/a/%"),
        "error_page 400 =200 /c.css; root @P@/r2;",
    ),
    "a malformed method": ("get", "/c.css", "root @P@/r1;"),
    "TRACE is refused by nginx": ("TRACE", "/c.css", "error_page 405 =200 /d.html; root @P@/r1;"),
    "a URI that is longer than a buffer": ("GET", f"/{'a' * 8178}", "root @P@/r1;"),
    "a URI that fills a buffer": ("GET", f"/{'a' * 8176}", "root @P@/r1;"),
    "a hash in the arguments": ("GET", "/a/../b/?a=1#b", "return 200 $args;"),
}

MAPS = r"""
    map $http_cookie $seen { default no; ~*session=(\w+) "yes $1"; "x=1" exact; }
    map $request_method $writes { GET 0; HEAD 0; default 1; }
    geo $near { default 0; 127.0.0.0/8 1; }
    map $http_host $kind { hostnames; default none; .test sub; x.* tail; ~^x regex; }
"""
BY_HEADER: dict[str, tuple[str, dict[str, str], str]] = {
    "a cookie, its name in any case": (
        *("GET", {"Cookie": "b=1; A = 2,3 ; a=5"}),
        'if ($cookie_a = "5") { return 411; } return 200 "$cookie_a";',
    ),
    "an underscore in a header's name": (
        *("GET", {"X_Y": "no", "X-Y": "hi"}),
        'return 200 "$http_x_y";',
    ),
    "a map by a regex with a group": (
        *("GET", {"Cookie": "a=b; SESSION=ab"}),
        'return 200 "$seen";',
    ),
    "a map by a whole text, its case ignored": ("GET", {"Cookie": "X=1"}, 'return 200 "$seen";'),
    "a map of host names": ("GET", {}, 'return 200 "$kind";'),
    "a map in an if": ("POST", {}, 'if ($writes) { return 410; } return 200 "$writes";'),
    "the same for another method": ("HEAD", {}, "if ($writes) { return 410; } return 200 x;"),
    "a header that is longer than a buffer": ("GET", {"X-A": "a" * 8185}, "return 200 x;"),
    "a network of a geo block": ("GET", {}, 'if ($near) { return 410; } return 200 "$near";'),
    "no referrer where none is valid": (
        *("GET", {}),
        'valid_referers server_names; if ($invalid_referer) { return 410; } return 200 "x";',
    ),
    "no referrer where it may lack": (
        *("GET", {}),
        'valid_referers none server_names; return 200 "$invalid_referer";',
    ),
    "a referrer where nothing is asked for": (
        *("GET", {"Referer": "http://other.test/"}),
        'return 200 "$invalid_referer";',
    ),
    "a link without its digest": (
        *("GET", {}),
        "secure_link $arg_md5,$arg_e; secure_link_md5 $uri;"
        ' if ($secure_link = "") { return 410; } return 200 "$secure_link";',
    ),
    "the addresses before this one": (
        *("GET", {"X-Forwarded-For": "1.2.3.4"}),
        'return 200 "$proxy_add_x_forwarded_for";',
    ),
}


@pytest.mark.parametrize(("method", "uri", "server"), ROWS.values(), ids=ROWS.keys())
def test_it_agrees(tmp_path: Path, method: str, uri: str, server: str) -> None:
    tmp_path.chmod(0o755)
    lay_files(tmp_path)

    assert [] == disagreements(tmp_path, server, [uri], method)


@pytest.mark.parametrize(("method", "headers", "server"), BY_HEADER.values(), ids=BY_HEADER.keys())
def test_it_agrees_on_headers(
    tmp_path: Path, method: str, headers: dict[str, str], server: str
) -> None:
    tmp_path.chmod(0o755)
    lay_files(tmp_path)

    found = disagreements(tmp_path, server, ["/c.css"], method, around=MAPS, headers=headers)

    assert [] == found


def test_what_is_malformed_gets_the_error_page_of_the_first_server(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    lay_files(tmp_path)
    first = """server {
        listen 127.0.0.1:@PORT@; server_name first.test; add_header X-Mark first always;
        error_page 400 /page; location /page { return 402; }
    }"""

    found = disagreements(tmp_path, "error_page 400 =403 /c.css; root r1;", ["/a/%"], around=first)

    assert [] == found
