"""Any text can be shown, none can write on the terminal, and nothing is lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.output.escape import printable

ESCAPE = re.compile(r"\\x([0-9a-f]{2})")


def original(shown: str) -> str:
    """Undo `printable`."""
    raw = b"".join(
        bytes.fromhex(part) if index % 2 else part.encode("utf-8", "surrogateescape")
        for index, part in enumerate(ESCAPE.split(shown))
    )
    return raw.decode("utf-8", "surrogateescape")


TEXTS = st.text(
    st.characters(codec="utf-8") | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("ünïcode 日本", "ünïcode 日本"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\nb", r"a\x0ab"),
        ("\u202egpj.exe", r"\xe2\x80\xaegpj.exe"),
        ("\udcff", r"\xff"),
        (b"\xff.txt", r"\xff.txt"),
        (r"\.php$", r"\.php$"),
        (r"\x41", r"\x5cx41"),
        ("\u00a0", r"\xc2\xa0"),
    ],
)
def test_only_what_is_unprintable_is_escaped(text: str | bytes, shown: str) -> None:
    assert shown == printable(text)


def test_characters_to_keep_pass() -> None:
    assert printable("a\tb\n", keep="\t") == "a\tb\\x0a"


@given(TEXTS)
@settings(max_examples=200)
def test_every_text_comes_back(text: str) -> None:
    raw = text.encode("utf-8", "surrogateescape")

    assert raw == original(printable(text)).encode("utf-8", "surrogateescape")


@given(TEXTS)
@settings(max_examples=200)
def test_what_is_shown_is_printable(text: str) -> None:
    assert printable(text).isprintable()
