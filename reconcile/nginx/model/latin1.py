"""Bytes as latin-1 text, so that string offsets are nginx's byte offsets."""

from __future__ import annotations


def to_raw(text: str) -> str:
    """`text` (UTF-8 with surrogate escapes) with one character for each byte."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def from_raw(raw: str) -> str:
    """The inverse of `to_raw`."""
    if raw.isascii():
        return raw
    return raw.encode("latin-1").decode("utf-8", "surrogateescape")
