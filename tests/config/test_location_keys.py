"""Keys of locations: what is refused, and what their patterns mean."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.config.probes import FilesProbe, HttpProbe
from reconcile.config.site.cache_by_name import name_regex
from reconcile.config.site.cors import parse_cors
from reconcile.config.site.inline import parse_inline_type
from reconcile.nginx.render.quote import nginx_quote
from tests.support.host_facts import HOST, compile_text, desired
from tests.support.yaml_examples import errors_at_lines, errors_in, site

STATIC = "  /s/: {role: static, dir: /srv/s, %s}"
MEDIA = "  /m/: {role: media, dir: /srv/m, %s}"
PRIVATE = "  /p/: {role: private, dir: /srv/p, %s}"
FILE = "  /f: {role: static, file: %s}"

CONTRADICTIONS = {
    "a fallback among uploads": (
        site("locations:", MEDIA % "fallback: index.html"),
        "7: fallback is for static files; media files are never changed (remove fallback)",
    ),
    "a fallback outside": (
        site("locations:", STATIC % "fallback: ../secret"),
        '7: "../secret" is not a file below the directory (use index.html)',
    ),
    "a policy that nobody declared": (
        site("locations:", STATIC % "cache_by_name: {'*.html': never}"),
        '7: unknown cache policy "never" (use one of: day, hashed, none, week)',
    ),
    "a pattern with syntax": (
        site("locations:", STATIC % "cache_by_name: {'a{b}': none}"),
        '7: "a{b}" is not a pattern of file names (use letters, digits, ._~@+- and the wildcards'
        " * ? [abc])",
    ),
    "names of private files": (
        site("locations:", PRIVATE % "cache_by_name: {'*': none}"),
        "7: the app sets the Cache-Control of private files",
    ),
    "CORS twice": (
        site("locations:", STATIC % "cors: '*', headers: {access-control-allow-origin: a}"),
        "7: `headers` sets access-control-allow-origin too (line 7) (remove one of them)",
    ),
    "CORS of everybody with their passwords": (
        site(
            "headers: {Access-Control-Allow-Credentials: 'true'}",
            "locations:",
            STATIC % "cors: '*'",
        ),
        "8: browsers take no Access-Control-Allow-Credentials with an origin of *"
        " (name the origins)",
    ),
    "CORS of private files": (
        site("locations:", PRIVATE % "cors: '*'"),
        "7: the app answers for private files (remove cors)",
    ),
    "an origin with a path": (
        site("locations:", STATIC % "cors: 'https://a.test/x'"),
        '7: "https://a.test/x" is not an origin (use "https://example.com" or "*")',
    ),
    "inline files of the app": (
        site("locations:", STATIC % "inline: [application/pdf]"),
        "7: inline is for media; static files are sent with their own type (remove inline)",
    ),
    "an inline type without its guard": (
        site("locations:", MEDIA % "inline: [text/csv], headers: {X-Content-Type-Options: null}"),
        "7: X-Content-Type-Options guards visitors from what `inline` shows (remove it, or inline)",
    ),
    "a file for a prefix": (
        site("locations: {/f/: {role: static, file: /srv/s/f}}"),
        "6: /f/ is a prefix, and `file` is for one URL"
        " (use `dir`, or a key without a slash at its end)",
    ),
    "a file of the system": (
        site("locations:", FILE % "/etc/passwd"),
        "7: /etc/passwd is not for visitors",
    ),
    "a sensitive file": (
        site("locations:", FILE % "/srv/s/app.env")
        + "paths: {/srv/s/app.env: {content: a, sensitive: true}}\n",
        "7: /srv/s/app.env is not for visitors",
    ),
    "a file behind a link of paths": (
        site("locations:", FILE % "/srv/now/x") + "paths: {/srv/now: {link: /srv/releases/2}}\n",
        "7: /srv/now/x is behind the symlink /srv/now (use the path below /srv/releases/2)",
    ),
    "a file that visitors uploaded": (
        site("locations:", FILE % "/srv/m/x", MEDIA % "cache: day"),
        "7: /srv/m/x is among the media files of /m/ (use a file that visitors cannot replace)",
    ),
    "one URL and its prefix": (
        site("locations:", FILE % "/srv/f", "  /f/: {role: proxy}"),
        "7: /f leads to the location /f/ (line 8) (remove one of them)",
    ),
}


@pytest.mark.parametrize(("text", "error"), CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_a_contradiction_is_reported_with_its_place(text: str, error: str) -> None:
    assert [error] == errors_at_lines(text)


ACTIVE = [
    *("text/html", "application/xhtml+xml", "application/xml", "text/xml", "image/svg+xml"),
    *("text/javascript", "application/javascript", "application/ecmascript", "text/xsl"),
    *("application/rss+xml", "multipart/x-mixed-replace", "message/rfc822", "text/vbscript"),
    *("application/x-shockwave-flash", "application/wasm", "application/mathml+xml"),
]


@pytest.mark.parametrize("media_type", ACTIVE)
def test_a_type_that_browsers_run_is_no_inline_type(media_type: str) -> None:
    with pytest.raises(ValueError, match="browsers run"):
        parse_inline_type(media_type)


@pytest.mark.parametrize("value", ["pdf", "application/pdf; x", "application/x-unknown-thing", "a"])
def test_what_is_no_known_type_is_no_inline_type(value: str) -> None:
    with pytest.raises(ValueError, match=r"media type|known"):
        parse_inline_type(value)


GLOBS = st.text(alphabet="ab.*?-", min_size=1, max_size=8) | st.sampled_from(
    ["[ab]*", "[!a]*.js", "*.[jc]ss", "a[.]b", "*.????????.js"]
)


@given(GLOBS, st.text(alphabet="abjcs.-", min_size=1, max_size=8))
def test_a_pattern_is_a_shell_pattern_of_the_last_segment(pattern: str, name: str) -> None:
    found = re.search(name_regex(pattern), f"/a.b/{name}")

    assert fnmatchcase(name, pattern) == bool(found)


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("https://A.test", "https://a.test"),
        ("https://a.test:443", "https://a.test"),
        ("http://a.test:80", "http://a.test"),
        ("http://a.test:443", "http://a.test:443"),
        ("https://münchen.example:8443", "https://xn--mnchen-3ya.example:8443"),
    ],
)
def test_an_origin_is_written_as_browsers_name_it(written: str, named: str) -> None:
    assert (named,) == parse_cors(written)


def test_an_inline_type_that_is_shown_anyway_is_named_once() -> None:
    text = site("locations:", MEDIA % "inline: [text/plain, text/csv]")
    file = desired(text)["file:/etc/nginx/sites-available/shop.conf"]
    lines = (getattr(file, "content", None) or b"").decode().splitlines()

    types = [line.split() for line in lines if line.strip().startswith(("text/plain", "text/csv"))]
    endings = [word.rstrip(";") for words in types for word in words[1:]]
    assert {"txt", "csv"} <= {*endings}
    assert len({*endings}) == len(endings)


@given(st.text(max_size=30))
def test_an_origin_is_refused_or_one_plain_word(text: str) -> None:
    try:
        [origin] = parse_cors(text)
    except ValueError:
        return

    assert nginx_quote(origin) == origin


@pytest.mark.parametrize(
    "key", ["/a b", "/a;b", "/.env", "/a/.git", "/a//b", "/$x", "/.well-known/.x"]
)
def test_a_url_with_syntax_or_a_hidden_name_is_refused(key: str) -> None:
    assert errors_in(site(f"locations: {{'{key}': {{role: static, file: /srv/f/x}}}}"))


def test_a_fallback_is_probed_for_pages_and_assets() -> None:
    text = site("locations:", STATIC % "fallback: index.html")
    found = {
        one.path: one.expect.status
        for one in compile_text(text, HOST).probes
        if isinstance(one, HttpProbe)
    }

    assert frozenset({200}) == found["/s/reconcile-probe"]
    assert frozenset({404}) == found["/s/reconcile-probe.js"]


def test_files_of_a_directory_are_not_asked_for_below_other_locations() -> None:
    text = site("locations:", STATIC % "cache: day", "  /s/api/: {role: proxy}")
    [probe] = [one for one in compile_text(text, HOST).probes if isinstance(one, FilesProbe)]

    assert ("/s/api/",) == probe.others
