"""The difference between two versions of a configuration file, by directives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reconcile.nginx.model.config_tree import Directive, parse
from reconcile.nginx.model.lexer import NginxSyntaxError
from reconcile.nginx.render.render import CONFIG_TOKEN_PATH
from reconcile.wording import first_few

_MOST_NAMED = 3
_TOKEN = f"location = {CONFIG_TOKEN_PATH}"

DirectivePath = tuple[str, ...]
"""The blocks around a directive, then the directive itself, each as its words."""


@dataclass(frozen=True)
class SemanticDiff:
    """Directives that only one of two files has; `is_reordered` where both have the same."""

    removed: tuple[DirectivePath, ...]
    added: tuple[DirectivePath, ...]
    is_reordered: bool = False

    @property
    def is_layout_only(self) -> bool:
        """Whether nginx reads the same from both."""
        return not (self.removed or self.added or self.is_reordered)

    def __str__(self) -> str:
        if self.is_layout_only:
            return "only comments and layout differ"
        if self.is_reordered:
            return "the same directives in another order"
        differing = [("-", one) for one in self.removed] + [("+", one) for one in self.added]
        # The token changes with every other directive: it is listed only where it changed alone.
        relevant = [(sign, one) for sign, one in differing if _TOKEN not in one] or differing
        return first_few([f"{sign} {_named(one)}" for sign, one in relevant], _MOST_NAMED)


def semantic_diff(before: bytes, after: bytes, path: str) -> SemanticDiff | None:
    """Compare two files, ignoring comments, layout and quoting; None for a syntax error."""
    try:
        old, new = (list(_flat(parse(data, path).directives)) for data in (before, after))
    except NginxSyntaxError:
        return None
    removed, added = _without(old, new), _without(new, old)
    return SemanticDiff(removed, added, is_reordered=old != new and not (removed or added))


def _flat(directives: Iterable[Directive], outer: DirectivePath = ()) -> Iterator[DirectivePath]:
    for directive in directives:
        here = (*outer, " ".join(map(_word, (directive.name, *directive.args))))
        yield here if directive.block is None else (*here, "{}")
        yield from _flat(directive.block or (), here)


def _word(word: str) -> str:
    is_plain = word and not any(char.isspace() or char in ";{}" for char in word)
    return word if is_plain else f'"{word}"'


def _without(these: list[DirectivePath], those: list[DirectivePath]) -> tuple[DirectivePath, ...]:
    """The directives that `these` have more often; a missing block represents its contents."""
    left = Counter(those)
    missing = []
    for path in these:
        left[path] -= 1
        if left[path] < 0:
            missing.append(path)
    gone = {path[:-1] for path in missing if path[-1] == "{}"}
    return tuple(path for path in missing if not any(part in gone for part in _around(path)))


def _around(path: DirectivePath) -> Iterator[DirectivePath]:
    """The blocks around a directive."""
    depth = len(path) - (2 if path[-1] == "{}" else 1)
    return (path[: end + 1] for end in range(depth))


def _named(path: DirectivePath) -> str:
    *outer, last = [part for part in path if part != "{}"]
    return f"`{last}` in {outer[-1]}" if outer else f"`{last}`"
