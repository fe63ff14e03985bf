"""Generates texts that a regex of nginx matches; each is checked by matching it.

The common part of the syntax is parsed here: the parser of `re`, which exrex and rstr use, is
private. A part that is parsed wrongly yields no match, and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import islice, product

from reconcile.nginx.model.latin1 import from_raw, to_raw
from reconcile.nginx.routing import pcre
from reconcile.nginx.routing.indeterminate import Indeterminate

WORD = "reconcile"
LONGEST = 255
_MAX_TEXTS = 64
_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789-._/"
_TOKEN = re.compile(
    r"(?P<empty>[\^$]|\\[AbBZ]|\(\?(?:[a-z]+|\#[^)]*)\))|(?P<look>\(\?<?[=!])"
    r"|(?P<plain>\(\?(?:>|[a-z-]*:))|(?P<group>\((?:\?P<\w+>)?)|(?P<end>\))|(?P<branch>\|)"
    r"|(?P<quantifier>(?:[*+?]|\{(?P<least>\d*)(?P<range>,?)(?P<most>\d*)\})[?+]?)"
    r"|(?P<one>\[\^?\]?(?:\\.|[^\]\\])*\]|\\x[0-9a-fA-F]{2}|\\\D|.)",
    re.DOTALL,
)
Groups = Mapping[int, str]


def matching_texts(pattern: str, groups: Groups | None = None) -> Iterator[str]:
    """Texts that `pattern` matches, in nginx's meaning; `groups`: group → the text it must have.

    None where the regex is not supported, or no generated text matches.
    """
    compiled = pcre.compiled(to_raw(pattern))
    if compiled is None:
        return
    wanted = {group: to_raw(text) for group, text in (groups or {}).items()}
    for text in dict.fromkeys(_RegexReader(compiled.python.pattern, wanted).texts()):
        try:
            match = compiled.search(text)
        except Indeterminate:
            continue
        if match and all(match[group] == text for group, text in wanted.items()):
            yield from_raw(text)


class _RegexReader:
    """Generates texts for the parts of a regex, the likeliest first."""

    def __init__(self, pattern: str, wanted: Groups) -> None:
        self._tokens = list(_TOKEN.finditer(pattern))
        self._wanted, self._group = wanted, 0

    def texts(self) -> list[str]:
        """Read up to the end of the group that is open, or of the regex."""
        branches, texts = list[str](), [""]
        while self._tokens:
            token = self._tokens.pop(0)
            if token["end"]:
                break
            if token["branch"]:
                branches, texts = [*branches, *texts], [""]
            else:
                texts = _concatenate(texts, self._term(token))
        return [*branches, *texts]

    def _term(self, token: re.Match[str]) -> list[str]:
        """The texts of one part with its quantifier."""
        is_one = bool(token["one"])
        part = _characters(token[0]) if is_one else self._part(token)
        if not self._tokens or not self._tokens[0]["quantifier"]:
            return part
        least, most = _bounds(self._tokens.pop(0))
        is_word = is_one and least <= len(WORD) <= most and _matches(token[0], WORD)
        times = max(least, 1)
        repeated = [text * times for text in part if len(text) * times <= LONGEST]
        return [*([WORD] if is_word else []), *([""] if least == 0 else []),
                *(repeated if times <= most else [])]  # fmt: skip

    def _part(self, token: re.Match[str]) -> list[str]:
        if token["empty"]:
            return [""]
        if token["look"]:
            self.texts()
            return [""]
        if token["plain"]:
            return self.texts()
        if token["group"]:
            self._group += 1
            own, inner = self._wanted.get(self._group), self.texts()
            return inner if own is None else [own]
        return []


def _concatenate(texts: Iterable[str], more: Iterable[str]) -> list[str]:
    joined = islice(("".join(parts) for parts in product(texts, more)), _MAX_TEXTS)
    return [text for text in joined if len(text) <= LONGEST]


def _bounds(token: re.Match[str]) -> tuple[int, int]:
    """The least and the most times of a quantifier."""
    sign = token[0][0]
    if sign != "{":
        return (1 if sign == "+" else 0), (1 if sign == "?" else LONGEST)
    least = int(token["least"] or 0)
    return least, int(token["most"] or (LONGEST if token["range"] else least))


@cache
def _characters(source: str) -> list[str]:
    """Some characters that a part for one character matches."""
    if source[0] == "[" or source in (".", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S"):
        return [char for char in _CHARACTERS if _matches(source, char)][:3]
    char = chr(int(source[2:], 16)) if source.startswith(r"\x") else source[-1]
    return [char] if _matches(source, char) else []


def _matches(source: str, text: str) -> bool:
    """Whether a part for one character matches every character of `text`."""
    try:
        return re.fullmatch(f"(?:{source})*", text, re.ASCII) is not None
    except re.error:
        return False
