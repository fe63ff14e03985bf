"""The values that each field type accepts, and what they are parsed to."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.config.fields.field_type import InvalidValue, ParseContext, UnquotedOctal
from reconcile.config.fields.http_values import parse_header_value
from reconcile.config.fields.network import parse_server_name, parse_upstream
from reconcile.config.fields.path_types import parse_nginx_path, parse_path, parse_unit_path
from reconcile.config.fields.quantities import parse_duration, parse_size
from reconcile.config.owner import parse_dirs_mode, parse_files_mode
from reconcile.config.site.listen_ports import ListenAddress, parse_listen
from reconcile.config.site.location_key import parse_prefix

HERE = ParseContext(folder="/srv/app")


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("0s", 0),
        ("30s", 30),
        ("10m", 600),
        ("1h", 3600),
        ("7d", 604_800),
        ("2w", 1_209_600),
        ("1y", 31_536_000),
        ("68y", 2_144_448_000),
    ],
)
def test_a_duration_is_a_number_and_a_unit(written: str, seconds: int) -> None:
    assert seconds == parse_duration(written)


@pytest.mark.parametrize(
    "written",
    ["", "7", "d", "7 d", "7D", "07d", "-7d", "1.5h", "1h30m", "7days", "69y", "\u0667d", 7],
)
def test_anything_else_is_not_a_duration(written: object) -> None:
    with pytest.raises(InvalidValue):
        parse_duration(written)


@pytest.mark.parametrize(
    ("written", "size"), [("1KB", 1024), ("20MB", 20_971_520), ("1GB", 1_073_741_824)]
)
def test_a_size_counts_as_nginx_counts(written: str, size: int) -> None:
    assert size == parse_size(written)


@pytest.mark.parametrize(
    "written", ["", "0MB", "20", "20M", "20mb", "20 MB", "1.5MB", "9999GB", 20]
)
def test_anything_else_is_not_a_size(written: object) -> None:
    with pytest.raises(InvalidValue):
        parse_size(written)


@pytest.mark.parametrize(
    ("written", "mode"),
    [("0755", 0o755), ("755", 0o755), ("0700", 0o700), ("2775", 0o2775), ("1777", 0o1777)],
)
def test_a_mode_of_directories_is_octal(written: str, mode: int) -> None:
    assert mode == parse_dirs_mode(written)


@pytest.mark.parametrize("written", ["0644", "0777", "4755", "0055", "75", "07555", "0o755", "rwx"])
def test_directories_must_be_usable_and_not_for_all_to_write(written: str) -> None:
    with pytest.raises(InvalidValue):
        parse_dirs_mode(written)


@pytest.mark.parametrize(
    ("written", "mode"), [("0644", 0o644), ("640", 0o640), ("0400", 0o400), ("0755", 0o755)]
)
def test_a_mode_of_files_is_octal(written: str, mode: int) -> None:
    assert mode == parse_files_mode(written)


@pytest.mark.parametrize("written", ["4755", "2755", "1644", "0666", "0044", "", "0888"])
def test_files_must_be_readable_not_special_and_not_for_all_to_write(written: str) -> None:
    with pytest.raises(InvalidValue):
        parse_files_mode(written)


@pytest.mark.parametrize("written", [755, 493, 0, UnquotedOctal("0755"), UnquotedOctal("0o755")])
def test_an_unquoted_mode_is_refused_with_the_mode_in_quotes(written: object) -> None:
    with pytest.raises(InvalidValue, match='file modes must be quoted: "0'):
        parse_dirs_mode(written)


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("/var/www", "/var/www"),
        ("/var/www/", "/var/www"),
        ("./static", "/srv/app/static"),
        ("static", "/srv/app/static"),
        ("../other/", "/srv/other"),
        ("a/./b/../c", "/srv/app/a/c"),
        ("/srv/größe", "/srv/größe"),
        ("/srv/my app", "/srv/my app"),
    ],
)
def test_a_path_is_absolute_or_starts_at_the_files_folder(written: str, path: str) -> None:
    assert path == parse_path(written, HERE)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "/a/../b",
        "/a/./b",
        "//a",
        "/a//b",
        "/..",
        "/a\x00b",
        "/a\nb",
        "/a\u202eb",
        "/" + "x" * 256,
        "/" + "x/" * 600,
        5,
        True,
        None,
    ],
)
def test_an_ambiguous_path_is_refused(written: object) -> None:
    with pytest.raises(InvalidValue):
        parse_path(written, HERE)


@pytest.mark.parametrize("character", list(";{}$\"'\\#"))
def test_a_path_for_nginx_contains_no_syntax_of_nginx(character: str) -> None:
    with pytest.raises(InvalidValue):
        parse_nginx_path(f"/var/www/a{character}b", HERE)


def test_the_files_folder_is_checked_like_the_rest_of_a_path() -> None:
    with pytest.raises(InvalidValue):
        parse_nginx_path("./static", ParseContext(folder="/srv/a;b"))


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("example.com", "example.com"),
        ("EXAMPLE.com", "example.com"),
        ("*.example.com", "*.example.com"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("_", "_"),
        ("münchen.example", "xn--mnchen-3ya.example"),
        ("*.münchen.example", "*.xn--mnchen-3ya.example"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
    ],
)
def test_a_host_name_is_encoded_as_in_a_request(written: str, name: str) -> None:
    assert name == parse_server_name(written)


@pytest.mark.parametrize(
    "written",
    [
        "",
        ".",
        "a..b",
        ".example.com",
        "example.com.",
        "-a.com",
        "a-.com",
        "a b",
        "*",
        "*.com",
        "www.*.com",
        "~^www",
        "http://a.com",
        "a.com/x",
        "a.com:80",
        "a;b",
        "a{b",
        "$host",
        "a\nb",
        "x" * 64 + ".com",
        "a." * 127 + "com",
        "☃.net\u3002",
        "\u0661.com\u202e",
        80,
    ],
)
def test_anything_else_is_not_a_host_name(written: object) -> None:
    with pytest.raises(InvalidValue):
        parse_server_name(written)


@pytest.mark.parametrize(
    ("written", "listen"),
    [
        (80, ListenAddress("", 80)),
        ("80", ListenAddress("", 80)),
        ("127.0.0.1:8080", ListenAddress("127.0.0.1", 8080)),
        ("[::1]:8080", ListenAddress("[::1]", 8080)),
        ("[0:0::1]:8080", ListenAddress("[::1]", 8080)),
        ("8443 ssl", ListenAddress("", 8443, ssl=True)),
        ("80 proxy_protocol", ListenAddress("", 80, proxy_protocol=True)),
        ("8443 ssl proxy_protocol", ListenAddress("", 8443, ssl=True, proxy_protocol=True)),
    ],
)
def test_a_listen_is_a_port_and_perhaps_an_address(written: object, listen: ListenAddress) -> None:
    assert listen == parse_listen(written)


@pytest.mark.parametrize(
    "written",
    [
        0,
        -1,
        65536,
        "080",
        "a",
        "example.com:80",
        "1.2.3:80",
        "999.1.1.1:80",
        "[::g]:80",
        "::1:80",
        "80 default_server",
        "80;",
        "unix:/a",
        True,
        "[1.2.3.4]:80",
    ],
)
def test_anything_else_is_not_a_listen(written: object) -> None:
    with pytest.raises(InvalidValue):
        parse_listen(written)


@pytest.mark.parametrize(
    ("written", "upstream"),
    [
        ("unix:/run/gunicorn.sock", "unix:/run/gunicorn.sock"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://127.0.0.1:8000/", "127.0.0.1:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("http://app.internal:80", "app.internal:80"),
    ],
)
def test_an_upstream_is_a_socket_or_an_address(written: str, upstream: str) -> None:
    assert upstream == parse_upstream(written)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "unix:",
        "unix:run/a",
        "unix:/run/../a",
        "unix:/run/a:b",
        "unix:/run/a b",
        "unix:/run/$a",
        "unix:/" + "x" * 107,
        "http://127.0.0.1",
        "http://127.0.0.1:0",
        "http://127.0.0.1:99999",
        "http://a/b:80",
        "http://a:80/path",
        "https://127.0.0.1:8000",
        "127.0.0.1:8000",
        "http://$host:80",
        "http://a;b:80",
        8000,
    ],
)
def test_anything_else_is_not_an_upstream(written: object) -> None:
    with pytest.raises(InvalidValue):
        parse_upstream(written)


@pytest.mark.parametrize("written", ["/static/", "/a/b/", "/a.b/", "/~me/", "/", "/x+y@z/"])
def test_a_location_begins_and_ends_with_a_slash(written: str) -> None:
    assert written == parse_prefix(written)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "static",
        "/static",
        "static/",
        "//",
        "/a//b/",
        "/../",
        "/a/../b/",
        "/.git/",
        "/a b/",
        "/a;b/",
        "/a{b/",
        "/a$b/",
        '/a"b/',
        "/a#b/",
        "/a\\b/",
        "/a%20b/",
        "/ä/",
        "/a\n/",
        5,
    ],
)
def test_anything_else_is_not_a_location(written: object) -> None:
    with pytest.raises(InvalidValue):
        parse_prefix(written)


@pytest.mark.parametrize("written", ["static", "/static", "static/"])
def test_a_location_without_its_slashes_is_refused_with_the_correct_form(written: str) -> None:
    with pytest.raises(InvalidValue) as raised:
        parse_prefix(written)

    assert 'use "/static/"' == raised.value.hint


PARSERS = [
    parse_duration,
    parse_size,
    parse_dirs_mode,
    parse_files_mode,
    parse_server_name,
    parse_listen,
    parse_upstream,
    parse_prefix,
    parse_header_value,
    lambda value: parse_path(value, HERE),
    lambda value: parse_nginx_path(value, HERE),
    lambda value: parse_unit_path(value, HERE),
]
ANYTHING = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="a.0:[]/*-_ñß\u0661\u3002xn", max_size=20),
    st.sampled_from(["unix:", "http://", "*.", "/"]).flatmap(
        lambda head: st.text(max_size=20).map(lambda tail: head + tail)
    ),
    st.integers(),
    st.booleans(),
    st.just(()),
    st.just({}),
)


@pytest.mark.parametrize("parse", PARSERS)
@settings(max_examples=80)
@given(value=ANYTHING)
def test_any_value_is_accepted_or_refused_as_invalid(
    parse: Callable[[object], object], value: object
) -> None:
    try:
        outcome = parse(value)
    except InvalidValue as error:
        outcome = str(error)

    assert not isinstance(outcome, str) or outcome.isprintable()


@settings(max_examples=150)
@given(ANYTHING)
def test_parsing_a_host_name_is_idempotent(value: object) -> None:
    try:
        name = parse_server_name(value)
    except InvalidValue:
        return
    assert name == parse_server_name(name)
    assert name.isascii()
