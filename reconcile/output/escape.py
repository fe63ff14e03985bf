"""Lossless escaping of any text for a terminal."""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")


def printable(text: str | bytes, *, keep: str = "") -> str:
    r"""Escape every unprintable character as the `\xNN` of its UTF-8 bytes.

    Characters in `keep` pass. A backslash that already looks like the start of
    such an escape becomes `\x5c`, so that the text can be restored.
    An attacker may choose the names of files: ESC, line breaks and bidi marks
    would otherwise let them control the terminal.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    if text.isprintable() and "\\x" not in text:
        return text
    text = _ESCAPE.sub(r"\\x5cx\1", text)
    return "".join(c if c.isprintable() or c in keep else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    # Half of a surrogate pair, from a JSON text, is no byte of any file name.
    is_byte = "\udc80" <= character <= "\udcff"
    raw = character.encode("utf-8", "surrogateescape" if is_byte else "surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in raw)
