"""What two configurations have in common: the levels around servers, and single server blocks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from reconcile.nginx.model.config_tree import ConfigTree, Directive, named

_NAMED_BY = {"upstream": 0, "map": -1, "geo": -1, "split_clients": -1}
"""Blocks of the http level that do nothing but define a name → which argument that is."""

_Plain = tuple[str, tuple[str, ...], tuple["_Plain", ...]]
"""A directive without its position, and all in it."""


class TreeDifference:
    """How one configuration differs from another, seen from their server blocks.

    What cannot be told apart cheaply counts as different.
    """

    def __init__(self, before: ConfigTree, after: ConfigTree) -> None:
        self._before, self._after = before, after
        self._is_changed: dict[str, bool] = {}

    def is_same_server(self, one: Directive, other: Directive) -> bool:
        """Whether two server blocks, and all that they include and name, are the same."""
        if not self._is_same_http or one != other:
            return False
        texts = [self._before.files[one.file].data[one.span]]
        for include in _includes([one]):
            if self._is_changed_include(include):
                return False
            texts += (self._before.files[path].data for path in self._paths_below(include))
        return not any(name in text for name in self._changed_names for text in texts)

    @cached_property
    def _is_same_http(self) -> bool:
        """Whether what servers inherit is the same; definitions of names aside."""
        before, after = _inherited(self._before), _inherited(self._after)
        if _plain(before) != _plain(after) or any(map(self._is_changed_include, _includes(before))):
            return False
        return not any(_mention(before, name.decode()) for name in self._changed_names)

    @cached_property
    def _changed_names(self) -> frozenset[bytes]:
        """What is defined otherwise, or by something that is."""
        before, after = _definitions(self._before), _definitions(self._after)
        same = {
            name: blocks for name, blocks in before.items() if self._is_same(blocks, after[name])
        }
        changed = [*(before.keys() | after.keys()) - same.keys()]
        for name in changed:
            users = [user for user, blocks in same.items() if _mention(blocks, name)]
            changed += users
            for user in users:
                del same[user]
        return frozenset(map(str.encode, changed))

    def _is_same(self, before: Sequence[Directive], after: Sequence[Directive]) -> bool:
        is_changed = any(map(self._is_changed_include, _includes(before)))
        return not is_changed and _plain(before) == _plain(after)

    def _is_changed_include(self, written: str) -> bool:
        """Whether an include gives other files, or any of them differs or includes others."""
        if written not in self._is_changed:
            was, now = self._before.includes.get(written), self._after.includes.get(written)
            self._is_changed[written] = (
                was is None
                or now is None
                or was.paths != now.paths
                or any(map(self._is_changed_file, was.paths))
            )
        return self._is_changed[written]

    def _is_changed_file(self, path: str) -> bool:
        was, now = self._before.files[path], self._after.files[path]
        if was is not now and was.data != now.data:
            return True
        return any(map(self._is_changed_include, _includes(was.directives)))

    def _paths_below(self, written: str) -> Iterator[str]:
        for path in self._before.includes[written].paths:
            yield path
            for inner in _includes(self._before.files[path].directives):
                yield from self._paths_below(inner)


def _inherited(tree: ConfigTree) -> list[Directive]:
    """What the servers get from the http level."""
    return [one for one in _http(tree) if one.name != "server" and one.name not in _NAMED_BY]


def _definitions(tree: ConfigTree) -> defaultdict[str, list[Directive]]:
    """The blocks that define each name, without its `$`."""
    found: defaultdict[str, list[Directive]] = defaultdict(list)
    for one in _http(tree):
        if one.name in _NAMED_BY and one.args:
            found[one.args[_NAMED_BY[one.name]].lstrip("$")].append(one)
    return found


def _http(tree: ConfigTree) -> Iterator[Directive]:
    for http in named(tree.directives, "http"):
        yield from tree.children(http)


def _plain(directives: Iterable[Directive]) -> tuple[_Plain, ...]:
    return tuple((one.name, one.args, _plain(one.block or ())) for one in directives)


def _includes(directives: Iterable[Directive]) -> Iterator[str]:
    """The arguments of the includes in these directives and their blocks."""
    for one in directives:
        if one.name == "include":
            yield one.args[0]
        elif one.block:
            yield from _includes(one.block)


def _mention(directives: Iterable[Directive], name: str) -> bool:
    """Whether any word of these directives and their blocks contains `name`."""
    return any(
        name in one.name
        or any(name in word for word in one.args)
        or _mention(one.block or (), name)
        for one in directives
    )
