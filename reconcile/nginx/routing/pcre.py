"""PCRE patterns as Python ones, where both mean the same; None where they may not.

A match has a limit of time, as PCRE has one of backtracking: a regex such as `^(a+)+$` takes longer
than the universe on a text of 40 characters, and both may come from somebody else.

Strings carry one character a byte, as PCRE without UTF does.
Source: pcre2pattern(3); Python's `re` with re.ASCII.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import cached_property, lru_cache

from reconcile.nginx.routing.indeterminate import Indeterminate
from reconcile.system.processes import ends_within

MATCH_LIMIT_S = 0.2
"""Of CPU time, so that a busy machine changes no answer."""
MOST_TOO_SLOW = 5
"""Texts on which a regex may take too long; after that it is not tried again."""

_ESCAPES = {
    "z": r"\Z",
    "Z": r"(?=\n?\Z)",
    "e": r"\x1b",
    "h": r"[ \t\xa0]",
    "H": r"[^ \t\xa0]",
    "v": r"[\n\x0b\f\r\x85]",
    "V": r"[^\n\x0b\f\r\x85]",
    "N": r"[^\n]",
    "R": r"(?>\r\n|[\n\x0b\f\r\x85])",
}
_SAME = frozenset("AbBdDsSwWnrtfa")
_SET_ESCAPES = {"h": r" \t\xa0", "v": r"\n\x0b\f\r\x85", "e": r"\x1b"}
_SET_SAME = frozenset("bdDsSwWnrtfa")
_POSIX = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r"\s",
    "blank": r" \t",
    "word": r"\w",
    "xdigit": "0-9A-Fa-f",
    "cntrl": r"\x00-\x1f\x7f",
    "print": r"\x20-\x7e",
    "graph": r"\x21-\x7e",
    "punct": r"!-/:-@\[-`{-~",
}

_TOKEN = re.compile(
    r"""\\Q(?P<literal>.*?)(?:\\E|\Z)
      | \\x\{(?P<hexes>[0-9A-Fa-f]{1,2})\} | \\(?P<hex>x[0-9A-Fa-f]{2})
      | \\(?P<escape>.) | \[(?P<set>\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*)\]
      | \(\?(?P<group><(?=[A-Za-z_])|'(?=[A-Za-z_])|P<|[:=!>]|<[=!]|\#[^)]*\)|i:|i\)|-i:)
      | (?P<strange>\(\?|\(\*|\{,) | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_SET_TOKEN = re.compile(
    r"\[:(?P<not>\^?)(?P<posix>\w+):\]|\\(?P<hex>x[0-9A-Fa-f]{2})|\\(?P<escape>.)|(?P<other>.)",
    re.DOTALL,
)


_ONE_CHARACTER = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?", re.DOTALL)
_REPEATS = re.compile(r".[*+?]|.\{\d*,?\d*\}", re.DOTALL)
SHORT = 16
"""Characters of a text on which no regex takes long."""


class _NotTheSame(Exception):
    """A signal within this module."""


@dataclass
class Regex:
    """A regex in Python's syntax."""

    python: re.Pattern[str]
    _too_slow: int = 0

    def search(self, text: str) -> re.Match[str] | None:
        """The first match in `text`. Errors: Indeterminate where that takes too long."""
        if not self._may_explode or len(text) < SHORT:
            return self.python.search(text)
        if self._too_slow < MOST_TOO_SLOW:
            if _is_quick(self.python, text):
                return self.python.search(text)
            self._too_slow += 1
        raise Indeterminate(f"matching the regex {self.python.pattern} takes too long")

    @cached_property
    def _may_explode(self) -> bool:
        """Whether it repeats so much that its time may grow with a power of the text's length."""
        repeats = _REPEATS.findall(_ONE_CHARACTER.sub("x", self.python.pattern))
        unbounded = [repeat for repeat in repeats if repeat[-1] in "*+"]
        return len(unbounded) > 1 or any(r[0] == ")" for r in unbounded) or len(repeats) > 5


@lru_cache(maxsize=4096)
def _is_quick(pattern: re.Pattern[str], text: str) -> bool:
    """Whether the search ends in time; tried by a child, as nothing interrupts it in a thread."""
    return ends_within(lambda: pattern.search(text), cpu_s=MATCH_LIMIT_S)


@lru_cache(maxsize=4096)
def compiled(pattern: str, *, caseless: bool = False) -> Regex | None:
    """`pattern` for Python's `search`; None where the meaning could differ."""
    flags = re.ASCII | (re.IGNORECASE if caseless else 0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return Regex(re.compile(_TOKEN.sub(_token, pattern), flags))
    except (_NotTheSame, re.error, OverflowError, RecursionError):
        return None


def _token(match: re.Match[str]) -> str:
    kind = match.lastgroup
    text = match[kind] if kind else ""
    if kind == "literal":
        return re.escape(text)
    if kind in ("hexes", "hex"):
        return rf"\x{text.removeprefix('x').zfill(2)}"
    if kind == "escape":
        return _escape(text)
    if kind == "set":
        return _set(text)
    if kind == "group":
        return _group(match)
    if kind == "strange" or text == "[":
        raise _NotTheSame
    return text


def _escape(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    # A digit may be a back-reference or an octal number; PCRE decides by the count of groups.
    if char in _SAME or char in "123456789" or not char.isalnum():
        return "\\" + char
    raise _NotTheSame


def _group(match: re.Match[str]) -> str:
    text = match["group"]
    if text.startswith("#"):
        return ""
    if text == "'":
        raise _NotTheSame
    # Python takes a bare `(?i)` only at the very start, where PCRE means the same.
    if text == "i)" and match.start() > 0:
        raise _NotTheSame
    return "(?P<" if text in ("<", "P<") else f"(?{text}"


def _set(body: str) -> str:
    negated = body.startswith("^")
    members = body[negated:]
    first = members[:1] == "]"
    inner = _SET_TOKEN.sub(_set_member, members[first:])
    return f"[{'^' if negated else ''}{chr(92) + ']' if first else ''}{inner}]"


def _set_member(match: re.Match[str]) -> str:
    if match["posix"]:
        if match["not"] or match["posix"] not in _POSIX:
            raise _NotTheSame
        return _POSIX[match["posix"]]
    if match["hex"]:
        return "\\" + match["hex"]
    if match["escape"]:
        return _set_escape(match["escape"])
    # `[` has no meaning in a set, but Python warns of it.
    return "\\[" if match["other"] == "[" else match["other"]


def _set_escape(char: str) -> str:
    if char in _SET_ESCAPES:
        return _SET_ESCAPES[char]
    if char in _SET_SAME or not char.isalnum():
        return "\\" + char
    raise _NotTheSame
