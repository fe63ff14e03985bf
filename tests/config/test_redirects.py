"""Redirects: clashes and loops are found in the file, and each redirect is probed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.config.probes import HttpProbe
from reconcile.config.site.redirects import parse_redirect_key, parse_redirect_target
from reconcile.nginx.model.config_loader import parse
from reconcile.nginx.render.site_config import render_site
from reconcile.nginx.render.site_view import ListenView, RedirectView, SiteView
from tests.support.host_facts import HOST, compile_text
from tests.support.yaml_examples import errors_at_lines, errors_in, site

STATIC = "locations: {/static/: {role: static, dir: /srv/s}}"


def a_file(*sites: str) -> str:
    """A file with these sites, a, b, ..."""
    lines = [f"  {name}: {{{keys}}}" for name, keys in zip("abc", sites, strict=False)]
    return "\n".join(["version: 1", "sites:", *lines, ""])


CONTRADICTIONS = {
    "a redirect to itself": (
        site("redirects: {/a: /a}"),
        ["6: /a leads back to itself"],
    ),
    "two redirects to each other": (
        site("redirects:", "  /a/: /b/", "  /b/: /a/"),
        [
            "7: /a/ leads back to itself through /b/",
            "8: /b/ leads back to itself through /a/",
        ],
    ),
    "a redirect to below itself": (
        site("redirects: {/a/: /a/b/}"),
        ["6: /a/ leads back to itself"],
    ),
    "a redirect by the site's own URL": (
        site("redirects: {/a: 'http://shop.test/a?b'}"),
        ["6: /a leads back to itself"],
    ),
    "a redirect to itself in other words": (
        site("redirects: {/a: '/%61', /b: /x/../b, /c: /./c}"),
        [f"6: /{key} leads back to itself" for key in "abc"],
    ),
    "a loop over a wildcard name": (
        site("redirects: {/a: 'http://x.y.shop.test/a'}").replace(
            "[shop.test]", "[shop.test, '*.shop.test']"
        ),
        ["6: /a leads back to itself"],
    ),
    "a loop over another site": (
        a_file(
            "server_names: [a.test], redirects: {/: 'http://b.test/'}",
            "server_names: [b.test], redirects: {/: 'http://a.test/'}",
        ),
        ["3: / leads back to itself through /", "4: / leads back to itself through /"],
    ),
    "a loop over another name": (
        a_file(
            "server_names: [a.test], redirects: {/: 'http://www.a.test/'}, "
            "redirect_from: [www.a.test]",
        ),
        ["3: / leads back to itself"],
    ),
    "the prefix of a location": (
        site("redirects: {/static/: /x/}", STATIC),
        ["6: /static/ belongs to the location /static/ (line 7) (remove one of them)"],
    ),
    "the URL that leads to a location": (
        site("redirects: {/static: /x}", STATIC),
        ["6: /static belongs to the location /static/ (line 7) (remove one of them)"],
    ),
    "the app's location": (
        site("redirects: {/: /x/}"),
        ["6: the location / belongs to the app (redirect a longer path)"],
    ),
    "a location of extra": (
        site("redirects: {/a: /b}", "extra: 'location = /a { return 204; }'"),
        ["6: `extra` has a location /a too (line 1 of the `extra` at line 7)"],
    ),
    "a prefix whose target is no prefix": (
        site("redirects: {/a/: /b}"),
        [
            "6: /a/ keeps what follows it, so its target has to end with a slash"
            " (use /b/, or redirect /a)"
        ],
    ),
    "where certbot answers": (
        site("redirects: {/.well-known/acme-challenge/: /b/}"),
        ['6: "/.well-known/acme-challenge/" is not a path to redirect'],
    ),
    "a name of the site itself": (
        site("redirect_from: [shop.test]"),
        ["6: shop.test is a name of the site itself (remove it from one of the lists)"],
    ),
    "a name twice": (
        site("redirect_from: [a.test, a.test]"),
        ["6: duplicate host name a.test"],
    ),
    "a name of another site": (
        site("redirect_from: [a.test]")
        + "  b: {server_names: [a.test], app: {upstream: 'http://127.0.0.1:1'}}\n",
        ["7: a.test on port 80 belongs to the site shop (line 6)"] * 2,
    ),
    "a target that is no name": (
        site("redirect_from: [a.test]").replace("[shop.test]", "['*.shop.test']"),
        [
            "6: these names would be redirected to *.shop.test, which is not a host name (put a"
            " plain name first in server_names)"
        ],
    ),
}


@pytest.mark.parametrize(("text", "errors"), CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_a_contradiction_is_reported_with_both_places(text: str, errors: list[str]) -> None:
    assert sorted(set(errors)) == sorted(
        {error.partition(" (begin it")[0] for error in errors_at_lines(text)}
    )


FITTING = {
    "a chain": site("redirects: {/a/: /b/, /b/: /c/}"),
    "a URL below a prefix": site("redirects: {/a/: /b/, /a/x: /c}"),
    "up from a prefix": site("redirects: {/a/: /}"),
    "to a location below the prefix": site(
        "redirects: {/s/: /s/static/}", "locations: {/s/static/: {role: static, dir: /srv/s}}"
    ),
    "a name before the wildcard that covers it": a_file(
        "server_names: ['*.a.test'], redirects: {/: 'http://x.a.test/'}",
        "server_names: [x.a.test], app: {upstream: 'http://127.0.0.1:1'}",
    ),
    "a path that nginx refuses": site("redirects: {/a: /../a}"),
    "a proxy before it speaks TLS": a_file(
        "server_names: [a.test], redirects: {/: 'https://a.test/'}"
    ),
    "names of another site's server": a_file(
        "server_names: [a.test], redirect_from: [www.a.test]",
        "server_names: [a.test], app: {upstream: 'http://127.0.0.1:1'}",
    ),
}


@pytest.mark.parametrize("text", FITTING.values(), ids=FITTING.keys())
def test_what_ends_is_accepted(text: str) -> None:
    assert [] == errors_in(text)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("https://münchen.example", "https://xn--mnchen-3ya.example/"),
        ("https://MÜNCHEN.example:8443/a?b", "https://xn--mnchen-3ya.example:8443/a?b"),
        ("https://shop.example", "https://shop.example/"),
    ],
)
def test_an_international_name_is_sent_as_it_is_in_the_dns(target: str, expected: str) -> None:
    assert expected == parse_redirect_target(target)


HOSTILE = [
    "https://ä b/",
    "https://*.a.test/",
    "https://a\u2024test/x",
    "https://\u00ad/",
    *("//evil.example", "/\\evil.example", "/a b", '/a"b', "/a;b}", "/$host", "/a\r\nX: y", "/a\\"),
    *("javascript:alert(1)", "https://a@b/", "https://-", "//", "ftp://a/", "", "a", "https://"),
    *("https://a.test:0/", "https://$host/", "/ä", "https:/a", "/a{b"),
]


@pytest.mark.parametrize("target", HOSTILE)
def test_a_target_that_could_be_another_one_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match=r"redirect|host name|domain"):
        parse_redirect_target(target)


TEXTS = st.text(alphabet="/ab.%$\"'\\;{} \n#?&=+()[]*:@~^|äé", max_size=20).map("/".__add__)


@given(TEXTS, TEXTS, st.sampled_from([301, 302, 308]))
def test_a_redirect_is_refused_or_one_location(key: str, target: str, status: int) -> None:
    try:
        view = RedirectView(parse_redirect_key(key), parse_redirect_target(target), status)
    except ValueError:
        return
    if view.is_prefix and not target.endswith("/"):
        return

    text = render_site(
        SiteView("s", ("a.test",), (ListenView("", 80),), redirects=(view,)), "1.22.1"
    )

    [server] = parse(text, "test").directives
    found = [one for one in server.block or () if one.name == "location" and key in one.args]
    assert 1 == len(found)
    assert not target.startswith(("//", "/\\"))
    names = {one.name for one in found[0].block or ()}
    assert names <= {"return", "rewrite", "if"}


def probes(text: str) -> dict[str, HttpProbe]:
    found = compile_text(text, HOST).probes
    return {one.name.partition(" ")[2]: one for one in found if isinstance(one, HttpProbe)}


def test_a_prefix_is_probed_with_what_it_keeps() -> None:
    probe = probes(site("redirects: {/old/: {to: /new/, status: 308}}"))["/old/ is redirected"]

    assert "/old/reconcile-probe?a=b" == probe.path
    assert frozenset({308}) == probe.expect.status
    assert (("Location", "/new/reconcile-probe?a=b"),) == probe.expect.headers


def test_each_port_is_asked_for_each_name() -> None:
    tls = "tls: {certificate: /etc/ssl/a.pem, key: /etc/ssl/a.key}"
    found = probes(site(tls, "redirect_from: [www.test]"))

    for port in (80, 443):
        probe = found[f"www.test on port {port} is redirected"]
        assert ("www.test", port) == (probe.endpoint.host, probe.endpoint.port)
        target = "https://shop.test/reconcile-probe?a=b"
        assert (("Location", target),) == probe.expect.headers


def test_certbot_is_given_the_redirected_names_too() -> None:
    found = compile_text(site("tls: {letsencrypt: shop.test}", "redirect_from: [www.test]"))

    [finding] = found.findings
    assert "-d shop.test -d www.test" in finding.fix
