"""Texts that a regex of nginx matches: likely ones are made up, and proven by matching them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice, product
from re import _parser  # type: ignore[attr-defined]  # the only reader of a regex in the library
from typing import Any

from reconcile.nginx.model.latin1 import from_raw, to_raw
from reconcile.nginx.routing import pcre

WORD = "reconcile"
LONGEST = 255
_MOST = 64
_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789-._/"
_CATEGORIES: Mapping[str, Callable[[str], bool]] = {
    "CATEGORY_DIGIT": str.isdigit,
    "CATEGORY_NOT_DIGIT": lambda char: not char.isdigit(),
    "CATEGORY_WORD": lambda char: char.isalnum() or char == "_",
    "CATEGORY_NOT_WORD": lambda char: not (char.isalnum() or char == "_"),
    "CATEGORY_NOT_SPACE": lambda _: True,
}
_ONE_OF_MANY = ("ANY", "IN", "NOT_LITERAL")
_EMPTY = ("AT", "ASSERT", "ASSERT_NOT")
_Node = tuple[Any, Any]
Groups = Mapping[int, str]


def witnesses(pattern: str, groups: Groups | None = None) -> Iterator[str]:
    """Texts that `pattern` matches, in nginx's meaning; `groups`: group → the text it must have.

    None where the regex is not ours to read, or where no guess fits.
    """
    compiled = pcre.compiled(to_raw(pattern))
    if compiled is None:
        return
    wanted = {group: to_raw(text) for group, text in (groups or {}).items()}
    for text in dict.fromkeys(_Guesses(wanted).of(_parser.parse(compiled.pattern))):
        match = compiled.search(text)
        if match and all(match[group] == text for group, text in wanted.items()):
            yield from_raw(text)


class _Guesses:
    """What the parts of a regex may stand for, the likeliest first."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups

    def of(self, nodes: Iterable[_Node]) -> list[str]:
        texts = [""]
        for node in nodes:
            joined = ("".join(parts) for parts in product(texts, self._of(node)))
            texts = [text for text in islice(joined, _MOST) if len(text) <= LONGEST]
        return texts

    def _of(self, node: _Node) -> list[str]:
        kind, value = str(node[0]), node[1]
        if kind == "LITERAL":
            return [chr(value)]
        if kind in _ONE_OF_MANY:
            return [char for char in _CHARACTERS if _is_in(node, char)][:3]
        if kind == "BRANCH":
            return [text for branch in value[1] for text in self.of(branch)]
        if kind == "SUBPATTERN":
            own = self._groups.get(value[0])
            return self.of(value[3]) if own is None else [own]
        if kind.endswith("_REPEAT"):
            return self._repeated(*value)
        if kind == "ATOMIC_GROUP":
            return self.of(value)
        return [""] if kind in _EMPTY else []

    def _repeated(self, least: int, most: int, nodes: Iterable[_Node]) -> list[str]:
        inner = list(nodes)
        is_word = len(inner) == 1 and all(_is_in(inner[0], char) for char in WORD)
        word = [WORD] if is_word and least <= len(WORD) <= most else []
        times = max(least, 1)
        repeated = [text * times for text in self.of(inner) if len(text) * times <= LONGEST]
        return word + ([""] if least == 0 else []) + (repeated if times <= most else [])


def _is_in(node: _Node, char: str) -> bool:
    """Whether the part of a regex that stands for one character stands for this one."""
    kind, value = str(node[0]), node[1]
    if kind == "IN":
        negated = str(value[0][0]) == "NEGATE"
        return any(_is_in(member, char) for member in value[negated:]) != negated
    if kind == "RANGE":
        return bool(value[0] <= ord(char) <= value[1])
    if kind == "CATEGORY":
        return str(value) in _CATEGORIES and _CATEGORIES[str(value)](char)
    return kind == "ANY" or (ord(char) == value) == (kind == "LITERAL")
