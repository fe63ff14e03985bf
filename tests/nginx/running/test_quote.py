"""Any value is one token that nginx reads back as that value, or it is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.nginx.model.lexer import NginxSyntaxError, statements
from reconcile.nginx.render.quote import Unquotable, nginx_quote
from reconcile.nginx.render.site_config import config_token_of, is_managed, render_site
from reconcile.nginx.render.site_view import ListenView, LocationView, SiteView

pytestmark = pytest.mark.process

VALUES = st.text(st.sampled_from("ab/ .;{}#\"'\\~*é\t\n$%"), min_size=1, max_size=12)


@settings(max_examples=300)
@given(VALUES)
def test_a_value_comes_back_as_it_was_or_is_refused(value):
    try:
        token = nginx_quote(value)
    except Unquotable:
        assert set(value) & set("\t\n$")
        return

    [read] = statements(f"alias {token};".encode(), "test")

    assert ["alias", value] == list(read.words)


REFUSED = ["", "a\nb", "a\0b", "a\x1b[31m", "a\u2028b", "a$b", "x" * 5000]


@pytest.mark.parametrize("value", REFUSED)
def test_what_no_token_can_hold_is_refused(value):
    with pytest.raises(Unquotable):
        nginx_quote(value)


def a_site(**changes) -> SiteView:
    values = {
        "name": "shop",
        "server_names": ("example.com",),
        "listens": (ListenView("", 80),),
        "upstream": "127.0.0.1:8000",
        **changes,
    }
    return SiteView(**values)


INJECTIONS = [
    {"server_names": ("a; } server { listen 81;",)},
    {"server_names": ('a"; } server {',)},
    {"upstream": "127.0.0.1:8000; } location /x { return 200"},
    {"locations": (LocationView("static", "/s/", "/a; } location /b { alias /etc"),)},
    {"locations": (LocationView("static", "/s/ { } location /x", "/a"),)},
    {"locations": (LocationView("static", "/s/", "/a", 'public"; add_header X y; #'),)},
]


@pytest.mark.parametrize("changes", INJECTIONS)
def test_no_value_becomes_a_directive(changes):
    plain = [
        s.words[0]
        for s in statements(render_site(a_site(**harmless(changes))), "plain")
        if s.kind != "#" and s.words
    ]
    hostile = [
        s.words[0]
        for s in statements(render_site(a_site(**changes)), "hostile")
        if s.kind != "#" and s.words
    ]

    assert plain == hostile


def harmless(changes: dict) -> dict:
    if "locations" in changes:
        cached = changes["locations"][0].cache_control and "public"
        return {"locations": (LocationView("static", "/s/", "/a", cached),)}
    return {name: ("a",) if name == "server_names" else "127.0.0.1:1" for name in changes}


@pytest.mark.parametrize("extra", ["}", "} server {", "gzip on", 'add_header X "open;', "if {"])
def test_extra_that_is_no_sequence_of_whole_directives_is_refused(extra):
    with pytest.raises(NginxSyntaxError) as refused:
        render_site(a_site(extra=extra))

    assert "sites.shop.extra" == refused.value.file


def test_a_site_file_names_its_manager_and_its_generation():
    one, other = render_site(a_site()), render_site(a_site(extra="gzip on;"))

    assert is_managed(one)
    assert config_token_of(one) != config_token_of(other)
    assert config_token_of(one) == config_token_of(render_site(a_site()))
    assert not is_managed(b"server {}")
    assert config_token_of(b"server {}") is None


@pytest.mark.parametrize(
    ("version", "parameter", "directive"),
    [("1.22.1", True, False), ("1.25.0", True, False), ("1.25.1", False, True), ("", True, False)],
)
def test_http2_is_asked_for_in_the_way_that_this_nginx_knows(version, parameter, directive):
    from reconcile.nginx.render.site_view import TlsView

    tls = a_site(listens=(ListenView("", 443, tls=True),), tls=TlsView("/c", "/k"))

    text = render_site(tls, version).decode()

    assert parameter == ("listen 443 ssl http2;" in text)
    assert directive == ("    http2 on;" in text)
