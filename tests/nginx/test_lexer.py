"""Tokens are what nginx takes for tokens; `nginx -t` is the judge."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconcile.nginx.model.config_loader import parse
from reconcile.nginx.model.lexer import BUFFER_SIZE, NginxSyntaxError, statements
from tests.nginx.comparisons import compared
from tests.nginx.conftest import Judge
from tests.support.ports import free_port
from tests.support.real_nginx import running

SYNTAX = re.compile(r"\[emerg\] \d+#\d+: ((?:unexpected|too long).*?) in \S+:(\d+)", re.DOTALL)


def words_of(source: bytes) -> list[list[str]]:
    return [s.words for s in statements(source, "x") if s.kind in (";", "{", "lua")]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (b"a b c;", ["a", "b", "c"]),
        (b"a\tb\r\n c ;", ["a", "b", "c"]),
        (b"a \"b c\" 'd;e';", ["a", "b c", "d;e"]),
        (b'a "";', ["a", ""]),
        (b"a b\"c'd;", ["a", "b\"c'd"]),
        (b"a b}c;", ["a", "b}c"]),
        (b"a b#c;", ["a", "b#c"]),
        (b"a ${b}c;", ["a", "${b}c"]),
        (b"a x${{b;", ["a", "x${{b"]),
        (b"a $b {", ["a", "$b"]),
        (rb"a b\ c\;d;", ["a", r"b\ c\;d"]),
        (rb'a "b\"c\n\t\\d\.";', ["a", 'b"c\n\t\\d\\.']),
        (b'if ($a = "b") {', ["if", "($a", "=", "b", ")"]),
        (b"a # not b;\n c;", ["a", "c"]),
        ("a b\u00a0c é;".encode(), ["a", "b\u00a0c", "é"]),
        (b"a \xff;", ["a", "\udcff"]),
        (b"\xef\xbb\xbfuser www-data;", ["\ufeffuser", "www-data"]),
        (b"a b\x0bc\x00;", ["a", "b\x0bc\x00"]),
    ],
)
def test_a_directive_splits_into_the_words_nginx_sees(source: bytes, expected: list[str]) -> None:
    assert [expected] == words_of(source)


@pytest.mark.parametrize(
    ("source", "message", "line"),
    [
        (b"a;\n;\n", 'unexpected ";"', 2),
        (b"{", 'unexpected "{"', 1),
        (b"a b\n}", 'unexpected "}"', 2),
        (b"}\n", 'unexpected "}"', 1),
        (b"a {\nb;\n", 'unexpected end of file, expecting "}"', 3),
        (b"a\nb", 'unexpected end of file, expecting ";" or "}"', 2),
        (b'a "b\n;', 'unexpected end of file, expecting ";" or "}"', 2),
        (b"a 'b'c;", 'unexpected "c"', 1),
        (b"types {\na/b c {\n", 'unexpected "{"', 2),
        (b"include a {}", 'directive "include" is not terminated by ";"', 1),
    ],
)
def test_a_refusal_has_the_words_and_the_line_of_nginx(
    source: bytes, message: str, line: int
) -> None:
    with pytest.raises(NginxSyntaxError) as refused:
        parse(source, "/etc/nginx/x.conf")

    assert (message, line) == (refused.value.message, refused.value.line)
    assert f"/etc/nginx/x.conf:{line}" in refused.value.what


@pytest.mark.process
@pytest.mark.parametrize("tail", [b";", b" ;", b"  ;", b"';", b"' ;", b"'\n;", b"\n;", b"\n\n"])
@pytest.mark.parametrize("head", [b"a ", b"a '", b"#", b"a #"])
@pytest.mark.parametrize("length", range(BUFFER_SIZE - 4, BUFFER_SIZE + 2))
def test_the_length_limit_of_a_token_is_that_of_nginx(
    judge: Judge, head: bytes, length: int, tail: bytes
) -> None:
    assert_agreement(judge, head + b"z" * length + tail)


def test_a_lua_block_is_one_opaque_word() -> None:
    lua = b' if x then y = {"}"} --[[ } ]] end -- }\n z = [==[ } ]] ]==] \n'
    source = b"content_by_lua_block {" + lua + b"}\nserver_name a;"

    assert [["content_by_lua_block", lua.decode()], ["server_name", "a"]] == words_of(source)


def test_an_unfinished_lua_block_is_refused() -> None:
    with pytest.raises(NginxSyntaxError, match="nginx cannot read x:1") as refused:
        parse(b"content_by_lua_block { '", "x")

    assert 'unexpected end of file, expecting "}"' == refused.value.message


SCRAPS = [
    *[b" ", b"\n", b"\t", b"\r", b";", b"{", b"#", b'"', b"'", b"\\", b"$", b"${", b")", b"("],
    *[b"a", b"b1", b"\xc2\xa0", b"\x0b", b"\x00", b"\xff", b"c d;", b"e f;\n", b'"g"', b"'h' "],
    *[b"x" * 4090, b" " * 4097, b"#" * 4094],
]
soups = st.lists(st.sampled_from(SCRAPS), max_size=25).map(b"".join)
oracle = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    print_blob=True,
)


@pytest.mark.process
@settings(oracle, max_examples=300)
@given(soup=soups)
def test_any_bytes_are_accepted_or_refused_as_nginx_does(judge: Judge, soup: bytes) -> None:
    assert_agreement(judge, soup)


@pytest.mark.process
@pytest.mark.nightly
@settings(oracle, max_examples=10_000)
@given(soup=soups)
def test_any_bytes_are_accepted_or_refused_as_nginx_does_at_length(
    judge: Judge, soup: bytes
) -> None:
    assert_agreement(judge, soup)


def assert_agreement(judge: Judge, soup: bytes) -> None:
    # `types` takes any words, so only the token rules decide.
    source = b"types {\n" + soup + b"\n}\n"
    verdict = judge.of_http(source)
    compared("verdicts")
    refusal = SYNTAX.search(verdict.message)
    expected = None if refusal is None else (refusal[1], int(refusal[2]))

    assert verdict.accepted == (expected is None), verdict.message
    assert expected == refusal_of(source)


def refusal_of(source: bytes) -> tuple[str, int] | None:
    try:
        parse(source, "x")
    except NginxSyntaxError as refused:
        return refused.message, refused.line
    return None


VALUES = [
    *[
        '"a b"',
        "'a b'",
        r"a\ b",
        r"a\;b",
        r'"a\"b"',
        r"'a\'b'",
        r'"a\'b"',
        r"a\\b",
        r"a\tb",
        r'"a\nb"',
    ],
    *[r"a\rb", r"a\.b", r"a\zb", '"a}b"', "a}b", "a{2}", '"a{2}"', 'a"b', "a'b'c", "a#b", '"#b"'],
    *[
        '""',
        "''",
        "\u00e9",
        "a\u00a0b",
        '"a;b"',
        '"a\n  b"',
        "a\\\nb",
        "(a)",
        '"a\\\\"',
        "a=b",
        "'\"'",
    ],
]


@pytest.mark.process
@pytest.mark.parametrize("written", VALUES)
def test_a_value_means_what_nginx_takes_it_for(tmp_path: Path, written: str) -> None:
    """The value that nginx sends back in an answer is the word that we read."""
    port = free_port()
    source = f"server {{ listen 127.0.0.1:{port}; return 200 {written}; }}"
    with running(tmp_path, source, port) as nginx:
        expected = nginx.ask("/").body if nginx else None

    read = word_after(source.encode(), "200")

    assert expected == (None if read is None else read.encode("utf-8", "surrogateescape"))


def word_after(source: bytes, word: str) -> str | None:
    """The word after `word` in the one directive of a block; None where it is refused."""
    try:
        words = next(found for found in words_of(source) if word in found)
        parse(source, "x")
    except NginxSyntaxError:
        return None
    return words[words.index(word) + 1] if len(words) == 3 else None
