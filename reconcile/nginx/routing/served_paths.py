"""The paths on the disk that decide what a server answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from posixpath import join

from reconcile.nginx.model.config_tree import ConfigTree, Directive, named

_FILE_TESTS = ("-f", "-d", "-e", "-x")


class ServedPaths:
    """The folders and files that each server of a configuration serves, or tests for."""

    def __init__(self, tree: ConfigTree, prefix: str) -> None:
        self._tree, self._prefix = tree, prefix
        self._in_files: dict[str, frozenset[str]] = {}

    def of(self, server: Directive) -> frozenset[str]:
        """The absolute paths of a server block; of one with variables the folder without them."""
        return self._inherited | self._in([server])

    @cached_property
    def _inherited(self) -> frozenset[str]:
        """What is served where a server has no root."""
        outer = (
            one
            for http in named(self._tree.directives, "http")
            for one in self._tree.children(http)
            if one.name != "server"
        )
        return frozenset({join(self._prefix, "html"), *self._in(outer)})

    def _in(self, directives: Iterable[Directive]) -> frozenset[str]:
        return frozenset(
            join(self._prefix, path.partition("$")[0].rpartition("/")[0] or "/")
            if "$" in path
            else join(self._prefix, path)
            for path in self._written(directives)
        )

    def _written(self, directives: Iterable[Directive]) -> Iterator[str]:
        for one in directives:
            if one.name == "include":
                for path in self._tree.includes[one.args[0]].paths:
                    yield from self._written_in(path)
            elif one.name in ("root", "alias"):
                yield from one.args[:1]
            elif one.name == "if" and one.args[0].lstrip("(!") in _FILE_TESTS:
                yield from (word.rstrip(")") for word in one.args[1:])
            yield from self._written(one.block or ())

    def _written_in(self, path: str) -> frozenset[str]:
        if path not in self._in_files:
            self._in_files[path] = frozenset(self._written(self._tree.files[path].directives))
        return self._in_files[path]
