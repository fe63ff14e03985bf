"""Modules that are not simulated: what they decide is unknown, and never a file or a 404."""

from __future__ import annotations

import pytest

from reconcile.nginx.model.config_loader import load
from reconcile.nginx.model.listen import Address, listens_of
from reconcile.nginx.routing.request import FileKind, LinkRule, Request
from reconcile.nginx.routing.route import Answer
from reconcile.nginx.routing.router import Router
from reconcile.nginx.server_name_conflicts import name_conflicts
from tests.support.real_nginx import overlay


class Empty:
    """A disk without files."""

    def kind(self, _: str) -> FileKind:
        return "missing"

    def link_refusal(self, _: str, __: LinkRule, ___: int) -> None:
        return None


def answer(lines: str) -> Answer:
    text = f"events {{}} http {{ server {{ listen 80; root /none; {lines} }} }}"
    tree = load("/n/nginx.conf", overlay({"/n/nginx.conf": text.encode()}))
    return Router(tree, prefix="/n").route(Request("/a.css", "a.test"), Empty()).answer


@pytest.mark.parametrize(
    "handler",
    [
        "content_by_lua_block { ngx.say('{') }",
        "content_by_lua_file /etc/nginx/a.lua;",
        "content_by_lua 'ngx.say(1)';",
        "js_content main.hello;",
        "redis_pass 127.0.0.1:6379;",
        "nchan_subscriber;",
        "push_stream_subscriber;",
        "upload_pass @done;",
        "rtmp_stat all;",
    ],
)
def test_the_status_of_a_module_that_answers_is_its_own(handler: str) -> None:
    found = answer(f"location / {{ {handler} }}")

    assert (True, None) == (found.kind in ("handler", "pass"), found.status)


@pytest.mark.parametrize(
    "deciding",
    [
        "access_by_lua_block { return ngx.exit(403) }",
        "access_by_lua_file /etc/nginx/a.lua;",
        "access_by_lua 'return ngx.exit(403)';",
        "rewrite_by_lua_file /etc/nginx/a.lua;",
        "rewrite_by_lua 'ngx.exec([[/b]])';",
        "server_rewrite_by_lua_block { ngx.exit(403) }",
        "auth_pam 'staff';",
        "auth_ldap 'staff';",
        "auth_gss on;",
        "auth_digest 'staff';",
        "passenger_enabled on;",
        "if ($geoip_country_code = XX) { return 403; }",
        "if ($geoip2_data_country = XX) { return 403; }",
        "set_by_lua_block $file { return 'a' } if ($file) { return 403; }",
        "js_set $file main.file; if ($file) { return 403; }",
    ],
)
def test_what_a_module_decides_is_unknown(deciding: str) -> None:
    assert "unknown" == answer(f"{deciding} location / {{ }}").kind


@pytest.mark.parametrize(
    "harmless",
    [
        "passenger_enabled off;",
        "auth_gss off;",
        "more_set_headers 'X-A: b';",
        "header_filter_by_lua_block { ngx.header.a = '}' }",
        "log_by_lua_file /etc/nginx/log.lua;",
        "brotli_static on; http3 on; quic_retry on; modsecurity off;",
        "pagespeed off; vhost_traffic_status off; fancyindex on;",
    ],
)
def test_a_module_that_does_not_decide_changes_nothing(harmless: str) -> None:
    found = answer(f"{harmless} location / {{ }}")

    assert ("error", 404) == (found.kind, found.status)


def test_http3_comes_over_udp_and_is_no_address_of_connections() -> None:
    server = "server { listen 443 ssl; listen 443 quic reuseport; listen 8443 quic; }"
    quic_only = "server { listen 443 quic; server_name a.test; }"
    text = f"events {{}} http {{ {server} {quic_only} }}"
    tree = load("/n/nginx.conf", overlay({"/n/nginx.conf": text.encode()}))

    assert [Address("0.0.0.0", 443)] == [one.address for one in listens_of(tree)]
    assert () == name_conflicts(tree)


def test_other_blocks_beside_http_are_read() -> None:
    text = (
        "load_module modules/ngx_stream_module.so; events {}"
        " stream { map $ssl_preread_server_name $up { default 127.0.0.1:1; }"
        " server { listen 5432; proxy_pass db:5432; } }"
        " mail { server { listen 25; protocol smtp; } } rtmp { server { listen 1935; } }"
        " http { server { listen 80; return 204; } }"
    )
    tree = load("/n/nginx.conf", overlay({"/n/nginx.conf": text.encode()}))

    assert 204 == Router(tree, prefix="/n").route(Request("/", "a.test")).answer.status
    assert [80] == [one.address.port for one in listens_of(tree)]
