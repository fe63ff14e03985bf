"""Who may in, who is believed, and what is passed on: contradictions and what they compile to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.config.fields.network import parse_network
from reconcile.config.probes import HttpProbe
from reconcile.errors import ReconcileError
from reconcile.nginx.render.quote import nginx_quote
from reconcile.resources.file import File
from tests.support.host_facts import HOST, compile_text, desired
from tests.support.yaml_examples import errors_at_lines, load_text, site

STATIC = "  /static/: {role: static, dir: /srv/s, %s}"
PROXY = "  /api/: {role: proxy, %s}"
NO_APP = "version: 1\nsites: {s: {server_names: [a.test], locations: {/api/: {role: proxy}}}}"

CONTRADICTIONS = {
    "nobody may in": (
        site("access: {satisfy: all}"),
        "6: this access allows no one (add basic or allow)",
    ),
    "everybody may in": (
        site("access: {allow: ['::/0']}"),
        "6: ::/0 is everybody (remove it, or use access: null)",
    ),
    "access of extra": (
        site("access: {allow: [10.0.0.0/8]}", "extra: 'auth_basic x;'"),
        "6: `extra` has auth_basic too (line 1 of line 7) (remove one of them)",
    ),
    "access of a location's extra": (
        site("locations:", STATIC % "access: {allow: [10.0.0.0/8]}, extra: 'deny all;'"),
        "7: `extra` has deny too (line 1 of line 7) (remove one of them)",
    ),
    "access of the site beside that of a location's extra": (
        site("access: {allow: [10.0.0.0/8]}", "locations:", PROXY % "extra: 'satisfy any;'"),
        "8: the site's `access` (line 6) holds here, and `extra` has satisfy"
        " (use `access` for this location)",
    ),
    "a network twice": (
        site("access: {allow: [10.0.0.1, 10.0.0.1/32]}"),
        "6: duplicate network 10.0.0.1 (remove it)",
    ),
    "a trusted network twice": (
        site("trusted_proxies: ['2001:db8::/32', '2001:0db8:0::/32']"),
        "6: duplicate network 2001:db8::/32 (remove it)",
    ),
    "everybody in two halves": (
        site("access: {allow: [0.0.0.0/1, 10.0.0.1, 128.0.0.0/1]}"),
        "6: together this is everybody (remove it, or use access: null)",
    ),
    "trust in everybody in two halves": (
        site("trusted_proxies: ['::/1', '8000::/1']"),
        "6: together this is everybody: any visitor could claim any address"
        " (name the networks of the proxies)",
    ),
    "a maintenance for nobody": (
        site("maintenance: {allow: [0.0.0.0/1, 128.0.0.0/1]}"),
        "6: together this is everybody: no one would see the maintenance"
        " (remove it, or set enabled: false)",
    ),
    "trust in everybody": (
        site("trusted_proxies: [0.0.0.0/0]"),
        "6: 0.0.0.0/0 is everybody: any visitor could claim any address"
        " (name the networks of the proxies)",
    ),
    "trust of extra": (
        site("trusted_proxies: [10.0.0.0/8]", "extra: 'set_real_ip_from 1.2.3.4;'"),
        "6: `extra` has set_real_ip_from too (line 1 of the `extra` at line 7)"
        " (remove one of them)",
    ),
    "a limit of nothing": (
        site("locations:", PROXY % "rate_limit: {rate: 0r/s}"),
        '7: "0r/s" is not a rate (use 10r/s or 30r/m)',
    ),
    "a limit of files": (
        site("locations:", STATIC % "rate_limit: {rate: 1r/s}"),
        "7: a limit is for what is passed on, never for files (remove it, or use role: proxy)",
    ),
    "nobody to pass on to": (
        NO_APP,
        "2: this location has no upstream, and the site no app (add upstream)",
    ),
    "two apps at the root": (
        site("locations: {/: {role: proxy, upstream: 'http://127.0.0.1:1'}}"),
        "6: the location / belongs to the app (remove one of both upstreams)",
    ),
    "a prefix of one URL": (
        site("locations: {/x: {role: proxy, strip_prefix: true}}"),
        "6: /x is a single URL, not a prefix",
    ),
    "a redirect of what is passed on": (
        site("redirects: {/api/: /x/}", "locations:", PROXY % "timeout: 1s"),
        "6: /api/ belongs to the location /api/ (line 8) (remove one of them)",
    ),
    "a directory at one URL": (
        site("locations: {/static: {role: static, dir: /srv/s}}"),
        '6: a location has to begin and end with a slash, got "/static" (use "/static/", or'
        " `file` for one URL)",
    ),
    "an extra that closes the location": (
        site("locations:", PROXY % "extra: '} location /x {'"),
        '7: line 1 of extra is invalid: unexpected "}"',
    ),
}


@pytest.mark.parametrize(("text", "error"), CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_a_contradiction_is_reported_with_its_place(text: str, error: str) -> None:
    assert [error] == [found[: len(error)] for found in errors_at_lines(text)]


@pytest.mark.parametrize("opened", ["access: null", "access: {allow: [10.0.0.1]}"])
def test_a_location_with_an_access_of_its_own_may_have_more_raw_directives(opened: str) -> None:
    text = site("access: {basic: ./h}", "locations:", PROXY % f"{opened}, extra: 'expires 1h;'")

    assert [] == errors_at_lines(text)


@given(st.text(alphabet="0123456789abcdef:./;{}$ \n\"'#", max_size=24))
def test_a_network_is_refused_or_one_word(text: str) -> None:
    try:
        network = parse_network(text)
    except ValueError:
        return

    assert nginx_quote(network) == network


SOURCE = "/srv/app/htpasswd"


def guarded(content: bytes, *lines: str) -> dict[str, object]:
    host = replace(HOST, sources={SOURCE: content}, worker_group="www-data")
    return dict(desired(site("access: {basic: ./htpasswd}", *lines), host))


def test_a_password_file_is_for_nginx_alone() -> None:
    found = guarded(b"a:$2y$05$abc\n")

    [file] = [one for name, one in found.items() if "reconcile-passwords/" in name]
    assert isinstance(file, File)
    assert ("root", "www-data", 0o640, True) == (file.user, file.group, file.mode, file.sensitive)
    assert (SOURCE,) == load_text(site("access: {basic: ./htpasswd}")).file_sources()


READABLE = [b"a:$apr1$x$y", b"a:$6$x$y", b"a:{SHA}x=", b"# c\n\na:$y$j9T$x", b"a:rl0wnG4NYpX2I"]
UNREADABLE = [b"a:secret", b"a", b":x", b"a:{PLAIN}x", b"a:", b" a:$6$x$y", b"\xef\xbb\xbfa:$6$x$y"]


@pytest.mark.parametrize("content", READABLE)
def test_an_htpasswd_that_nginx_reads_is_accepted(content: bytes) -> None:
    assert guarded(content)


@pytest.mark.parametrize("content", UNREADABLE)
def test_an_htpasswd_that_nginx_cannot_read_is_refused(content: bytes) -> None:
    with pytest.raises(ReconcileError) as refused:
        guarded(content)

    assert "line 1 of the htpasswd of shop" in refused.value.what
    assert "secret" not in f"{refused.value.what} {refused.value.why}"


@pytest.mark.parametrize("content", [b"", b"\n", b"# nobody yet\n"])
def test_an_htpasswd_without_a_user_is_refused(content: bytes) -> None:
    with pytest.raises(ReconcileError, match="the htpasswd of shop has no user"):
        guarded(content)


def denials(text: str) -> dict[str, frozenset[int]]:
    host = replace(HOST, sources={SOURCE: b"a:$6$x$y"})
    return {
        one.path: one.expect.status
        for one in compile_text(text, host).probes
        if isinstance(one, HttpProbe) and "denies access" in one.name
    }


@pytest.mark.parametrize(
    ("access", "statuses"),
    [
        ("{basic: ./htpasswd}", {401}),
        ("{allow: [10.0.0.0/8]}", {403}),
        ("{allow: [10.0.0.0/8], basic: ./htpasswd}", {401}),
        ("{allow: [10.0.0.0/8], basic: ./htpasswd, satisfy: all}", {401, 403}),
        ("{allow: [127.0.0.1]}", None),
        ("{allow: [127.0.0.1], basic: ./htpasswd}", None),
    ],
)
def test_the_denial_is_probed(access: str, statuses: set[int] | None) -> None:
    expected = {} if statuses is None else {"/": frozenset(statuses)}

    assert expected == denials(site(f"access: {access}"))


def test_loopback_is_not_allowed_by_default() -> None:
    file = desired(site("access: {allow: [10.0.0.0/8]}"))[
        "file:/etc/nginx/sites-available/shop.conf"
    ]

    content = (getattr(file, "content", None) or b"").decode()
    assert "allow 10.0.0.0/8;" in content
    assert "127.0.0.1;" not in content.replace("127.0.0.1:8000", "")


def test_each_limit_has_a_zone_of_its_own_that_is_named_by_its_key_and_size() -> None:
    text = site(
        "locations:",
        PROXY % "rate_limit: {rate: 1r/s}",
        "  /x: {role: proxy, rate_limit: {rate: 2r/s}}",
    )
    file = desired(text)["file:/etc/nginx/sites-available/shop.conf"]
    lines = (getattr(file, "content", None) or b"").decode().splitlines()

    zones = [line.split("zone=")[1].split(":")[0] for line in lines if "limit_req_zone" in line]
    assert 2 == len({*zones})
    assert all(zone.startswith("reconcile_") for zone in zones)
