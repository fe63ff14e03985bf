"""Whether two versions of a configuration file mean the same to nginx."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconcile.nginx.model.config_loader import parse
from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.model.lexer import NginxSyntaxError

DirectivePath = tuple[str, ...]
"""The blocks around a directive, then the directive itself, each as its words."""


def equal_directives(before: bytes, after: bytes, path: str) -> str:
    """What two files with the same directives differ in; "" where the directives differ, too.

    Comments, layout and quoting do not count, and a syntax error makes files unequal.
    """
    try:
        old, new = (list(_flat(parse(data, path).directives)) for data in (before, after))
    except NginxSyntaxError:
        return ""
    if old == new:
        return "only comments and layout differ"
    return "the same directives in another order" if sorted(old) == sorted(new) else ""


def _flat(directives: Iterable[Directive], outer: DirectivePath = ()) -> Iterator[DirectivePath]:
    for directive in directives:
        here = (*outer, " ".join(map(_word, (directive.name, *directive.args))))
        yield here if directive.block is None else (*here, "{}")
        yield from _flat(directive.block or (), here)


def _word(word: str) -> str:
    is_plain = word and not any(char.isspace() or char in ";{}" for char in word)
    return word if is_plain else f'"{word}"'
