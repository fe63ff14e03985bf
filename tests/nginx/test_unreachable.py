"""What no request can reach is named with its reason; what one can is not."""

from __future__ import annotations

import pytest

from reconcile.nginx.model.config_loader import load
from reconcile.nginx.routing.router import Router
from reconcile.nginx.routing.unreachable import unreachable
from tests.support.real_nginx import overlay


def named(server: str, http: str = "") -> list[str]:
    text = f"http {{ {http} server {{ {server} }} }}"
    router = Router(load("/n/c", overlay({"/n/c": text.encode()})))
    return [one.what for one in unreachable(router.servers.servers[0].scope)]


@pytest.mark.parametrize(
    ("server", "what"),
    [
        ("return 404; location / { root /a; }", ["location /"]),
        ("if ($a) { return 301 /; } return 404; location /b { }", ["location /b"]),
        ("location / { return 301 /x; proxy_pass http://a; }", ["proxy_pass http://a"]),
        ("location / { root /a; return 204; }", ["root /a"]),
        ("location / { return 204; rewrite ^ /x; }", ["rewrite ^ /x"]),
        ("location ~ / { } location ~ \\.css$ { }", ["location ~ \\.css$"]),
        ("location ~ .* { } location /a/ { root /x; }", ["location /a/"]),
        ("location ~* \\.php$ { } location ~* \\.php$ { }", ["location ~* \\.php$"]),
        ("try_files $uri =404; location / { root /a; }", ["try_files $uri =404"]),
        ("location / { } location @app { proxy_pass http://a; }", ["location @app"]),
    ],
)
def test_it_is_named(server: str, what: list[str]) -> None:
    assert what == named(server)


@pytest.mark.parametrize(
    "server",
    [
        "if ($a) { return 404; } location / { root /a; }",
        "if ($a) { break; } return 404; location / { root /a; }",
        "return 404; error_page 404 @page; location @page { root /a; }",
        "location / { return 204; location /a/ { root /b; } }",
        "location / { root /a; location /b/ { } if ($a) { return 204; } }",
        "location / { root /a; return 204; location /b/ { } }",
        "location ~ \\.css$ { } location ~ / { } location = /a { } location ^~ /b/ { }",
        "location ~ .* { } location /a/ { location ~ \\.css$ { } }",
        "location ~ .* { } location /a/ { proxy_pass http://a; }",
        "location ~ \\.php$ { } location ~* \\.php$ { }",
        "try_files $uri =404; location /a/ { root /a; }",
        "location / { try_files $uri @app; } location @app { proxy_pass http://a; }",
        "error_page 502 @app; location / { } location @app { proxy_pass http://a; }",
        "location / { try_files $uri $next; } location @app { proxy_pass http://a; }",
    ],
)
def test_what_can_be_reached_is_not(server: str) -> None:
    assert [] == named(server)
