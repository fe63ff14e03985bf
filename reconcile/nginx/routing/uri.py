"""Request URIs as nginx understands them: decoded once, slashes merged, dots resolved."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from reconcile.nginx.model.latin1 import to_raw

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})|%00|[\x00-\x20\x7f]")


class Uri(NamedTuple):
    """A normalised path (one character a byte) and the arguments as sent."""

    path: str
    args: str


def normalise(sent: str, *, merge_slashes: bool = True) -> Uri | None:
    """The URI that locations are matched against; None where nginx answers 400."""
    head, _, args = to_raw(sent).partition("#")[0].partition("?")
    if not head.startswith("/") or _BAD_ESCAPE.search(head):
        return None
    if "%" in head:
        head = unquote_to_bytes(head).decode("latin-1")
    if "//" not in head and "/." not in head:
        return Uri(head, args)
    path = _resolved(head[1:].split("/"), merge_slashes=merge_slashes)
    return None if path is None else Uri(path, args)


def _resolved(segments: list[str], *, merge_slashes: bool) -> str | None:
    kept: list[str] = []
    for segment in segments[:-1]:
        if segment == ".." and not kept:
            return None
        if segment == "..":
            kept.pop()
        elif segment != "." and (segment or not merge_slashes):
            kept.append(segment)
    last = segments[-1]
    if last == "..":
        if not kept:
            return None
        kept.pop()
    kept.append("" if last in (".", "..") else last)
    return "/" + "/".join(kept)


_UNSAFE = re.compile(r"""[\x00-\x20"#%<>?\\^`{|}\x7f-\xff]""")
_UNSAFE_IN_ARGS = re.compile(r"""[\x00-\x20"#%&+;<>?\\^`{|}\x7f-\xff]""")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")


def escaped(path: str) -> str:
    """`path` as nginx writes it into a Location header."""
    return _UNSAFE.sub(_percent, path)


def escaped_argument(value: str) -> str:
    """`value` as nginx writes a captured group into arguments and redirects."""
    return _UNSAFE_IN_ARGS.sub(_percent, value)


def _percent(match: re.Match[str]) -> str:
    return f"%{ord(match[0]):02X}"


def unescape_redirect(target: str) -> str:
    """A rewrite's redirect target as nginx sends it: harmless escapes undone up to the `?`."""
    head, mark, tail = target.partition("?")
    question = next((m for m in _ESCAPE.finditer(head) if m[1].upper() == "3F"), None)
    if question:
        head, mark, tail = head[: question.start()], "?", target[question.end() :]
    return _ESCAPE.sub(_decode_escape, head) + mark + tail


def _decode_escape(match: re.Match[str]) -> str:
    code = int(match[1], 16)
    return chr(code) if 0x25 < code < 0x7F else match[0]
