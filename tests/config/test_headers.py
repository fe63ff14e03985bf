"""Headers, compression and HTTP/2 of a site: what is refused, merged and rendered."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.config.site.headers import parse_response_header, parse_response_header_value
from reconcile.nginx.model.lexer import statements
from reconcile.nginx.render.quote import nginx_quote
from reconcile.nginx.render.response_headers import merge_headers
from tests.support.host_facts import HOST, compile_text, desired
from tests.support.yaml_examples import errors_at_lines, errors_in, site

TLS = "tls: {certificate: /etc/ssl/a.pem, key: /etc/ssl/a.key%s}"
STATIC = "  /static/: {role: static, dir: /srv/s, %s}"
PRIVATE = "  /p/: {role: private, dir: /srv/p, %s}"

CONTRADICTIONS = {
    "two spellings of one header": (
        site("headers:", "  X-Frame-Options: DENY", "  x-frame-options: SAMEORIGIN"),
        "8: x-frame-options and X-Frame-Options (line 7) are one header (remove one of them)",
    ),
    "HSTS twice": (
        site(TLS % ", hsts: 1y", "headers: {Strict-Transport-Security: max-age=1}"),
        "7: tls.hsts sets Strict-Transport-Security too (line 6) (remove one of them)",
    ),
    "HSTS of a location": (
        site(
            TLS % ", hsts: 1y",
            "locations:",
            STATIC % "headers: {Strict-Transport-Security: max-age=1}",
        ),
        "8: tls.hsts sets Strict-Transport-Security for the whole site (line 6)"
        " (remove one of them)",
    ),
    "a header that extra adds": (
        site("headers: {X-A: b}", "extra: 'add_header x-a c;'"),
        "6: `extra` adds X-A too (line 1 of the `extra` at line 7) (remove one of them)",
    ),
    "null for nothing": (
        site("headers: {X-A: null}"),
        "6: there is no X-A to remove (null removes a header of the site or a default; remove this"
        " line)",
    ),
    "null for nothing in a location": (
        site("headers: {X-A: b}", "locations:", STATIC % "headers: {X-A: null, X-B: null}"),
        "8: there is no X-B to remove (null removes a header of the site or a default; remove this"
        " line)",
    ),
    "the disposition of private files": (
        site("locations:", PRIVATE % "headers: {Content-Disposition: inline}"),
        "7: the app sets the Content-Disposition of private files",
    ),
    "a cache by header": (
        site("headers: {Cache-Control: no-store}"),
        "6: Cache-Control cannot be set here (choose a cache policy with `cache`)",
    ),
    "a redirect by header": (
        site("headers: {location: /}"),
        "6: location cannot be set here (use `redirects`)",
    ),
    "a variable of nginx": (
        site("headers: {A: $host}"),
        '6: a header value cannot contain $, got "$host" (nginx would read a variable, and has'
        " no escape for it)",
    ),
    "a header that splits": (
        site('headers: {A: "b\\r\\nSet-Cookie: c"}'),
        "6: the text contains U+000D, an invisible character",
    ),
    "a header without a value": (
        site("headers: {A: }"),
        '6: "A" has no value (set one, or remove it)',
    ),
    "compression twice": (
        site("gzip: true", "extra: 'gzip on;'"),
        "6: `extra` sets gzip too (line 1 of the `extra` at line 7) (remove one of them)",
    ),
    "HTTP/2 without TLS": (
        site("http2: true"),
        "6: http2 needs tls (add tls, or remove http2)",
    ),
    "a preload without subdomains": (
        site(TLS % ", hsts: {max_age: 1y, preload: true}"),
        "6: preload covers all subdomains (add subdomains: true, or remove preload)",
    ),
    "a short preload": (
        site(TLS % ", hsts: {max_age: 7d, subdomains: true, preload: true}"),
        "6: preload needs a max_age of a year or more (use 1y, or remove preload)",
    ),
    "an age without its key": (
        site(TLS % ", hsts: {subdomains: true}"),
        '6: "max_age" is missing',
    ),
}


@pytest.mark.parametrize(("text", "error"), CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_a_contradiction_is_reported_with_both_places(text: str, error: str) -> None:
    assert [error] == errors_at_lines(text)


HOP_BY_HOP = ["Connection", "keep-alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade"]
OF_THE_RESPONSE = ["Content-Length", "Set-Cookie", "Location", "Content-Type", "X-Accel-Redirect"]


@pytest.mark.parametrize("name", HOP_BY_HOP + OF_THE_RESPONSE)
def test_a_header_that_is_not_the_sites_to_set_is_refused(name: str) -> None:
    [error] = errors_in(site(f"headers: {{{name}: a}}"))

    assert f"{name} cannot be set here" in error


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_header_is_refused_or_one_directive(name: str, value: str) -> None:
    try:
        words = ["add_header", parse_response_header(name), parse_response_header_value(value)]
    except ValueError:
        return

    text = " ".join(nginx_quote(word or "") for word in words) + ";"

    [read] = statements(text.encode(), "test")
    assert words == list(read.words)


@given(st.text(alphabet='"\\a $', min_size=2900, max_size=3100))
def test_a_long_header_fits_one_token_or_is_refused(value: str) -> None:
    try:
        accepted = parse_response_header_value(value)
    except ValueError:
        return

    assert accepted is not None
    assert len(nginx_quote(accepted)) < 4096


def test_the_last_level_wins_and_null_takes_away() -> None:
    default, outer, own = [("A", "1"), ("B", "1")], [("a", "2"), ("C", "2")], [("C", None)]

    assert (("a", "2"), ("B", "1")) == merge_headers(default, outer, own)


def conf(text: str, version: str = "1.22.1", *, http2: bool = True) -> str:
    host = replace(HOST, nginx_version=version, http2=http2)
    file = desired(text, host)["file:/etc/nginx/sites-available/shop.conf"]
    return (getattr(file, "content", None) or b"").decode()


HTTPS = site(TLS % "")


@pytest.mark.parametrize(
    ("version", "has_module", "key", "form"),
    [
        ("1.22.1", True, "", "listen 443 ssl http2;"),
        ("1.25.1", True, "", "http2 on;"),
        ("1.22.1", False, "", None),
        ("1.25.1", False, "http2: true", None),
        ("1.22.1", True, "http2: false", None),
        ("1.26.0", True, "http2: false", None),
    ],
)
def test_http2_has_the_form_of_this_nginx(
    version: str, has_module: bool, key: str, form: str | None
) -> None:
    text = conf(site(TLS % "", key), version, http2=has_module)

    assert (form or "listen 443 ssl;") in text
    assert (form is not None) == ("http2" in text)


def test_http2_that_nginx_lacks_is_noted() -> None:
    found = compile_text(site(TLS % "", "http2: true"), replace(HOST, http2=False)).findings

    assert ["http2-missing"] == [one.rule for one in found]


@pytest.mark.parametrize(("version", "rules"), [("1.22.1", ["http2-shared"]), ("1.25.1", [])])
def test_http2_that_another_site_sets_for_the_port_is_noted(version: str, rules: list[str]) -> None:
    one = HTTPS.partition("sites:\n")[2].replace("shop", "other")

    found = compile_text(site(TLS % "", "http2: false") + one, replace(HOST, nginx_version=version))

    assert rules == [finding.rule for finding in found.findings]


def test_a_port_with_tls_is_asked_for_http2() -> None:
    names = {probe.name for probe in compile_text(HTTPS).probes}

    assert "probe:shop port 443 offers HTTP/2" in names
    assert not {n for n in names if "HTTP/2" in n} - {"probe:shop port 443 offers HTTP/2"}


@pytest.mark.parametrize("directive", ["gzip_types text/css;", "gzip_vary off;", "gzip on;"])
def test_a_directive_of_extra_replaces_that_of_gzip(directive: str) -> None:
    text = conf(site(f"extra: {json.dumps(directive)}"))

    assert 1 == text.count(f"    {directive.split()[0]} ") + text.count(f"\n{directive}")
