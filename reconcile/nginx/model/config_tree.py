"""Configuration files as directives, and the tree that their includes make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from reconcile.dataclass import dataclass


class Directive(NamedTuple):
    """One directive; `start` and `end` are byte offsets in `file`, up to its `;` or `}`.

    `block` is None for a simple directive. A `*_by_lua_block` is a simple
    directive whose last argument is the Lua text.
    """

    name: str
    args: tuple[str, ...]
    file: str
    line: int
    start: int
    end: int
    block: tuple[Directive, ...] | None = None

    @property
    def span(self) -> slice:
        """The directive's own bytes within its file's data."""
        return slice(self.start, self.end)

    @property
    def place(self) -> str:
        """The position as `file:line`."""
        return f"{self.file}:{self.line}"


class Comment(NamedTuple):
    """A comment from its `#` to before the end of the line; offsets are in bytes."""

    line: int
    start: int
    end: int


class ParsedFile(NamedTuple):
    """One parsed file; its includes are ordinary directives."""

    path: str
    data: bytes
    directives: tuple[Directive, ...]
    comments: tuple[Comment, ...]


class Include(NamedTuple):
    """What one include argument stood for: an absolute pattern and the files it gave.

    `folder` is the deepest folder without a wildcard: a change in it may change `paths`.
    """

    pattern: str
    folder: str
    paths: tuple[str, ...]
    is_glob: bool


@dataclass(frozen=True)
class ConfigTree:
    """A configuration and everything it includes, as nginx reads it.

    `files` maps the name under which nginx opens a file to its contents, in opening
    order; `includes` maps the argument of an include, as written, to its matches.
    """

    config_path: str
    prefix: str
    files: Mapping[str, ParsedFile]
    includes: Mapping[str, Include]

    @property
    def directives(self) -> Iterator[Directive]:
        """The main context, includes replaced by what they include."""
        return self.expanded(self.files[self.config_path].directives)

    def children(self, parent: Directive) -> Iterator[Directive]:
        """The directives of a block, includes replaced by what they include."""
        return self.expanded(parent.block or ())

    def expanded(self, directives: Iterable[Directive]) -> Iterator[Directive]:
        """`directives` in nginx's order, includes replaced by what they include."""
        for directive in directives:
            if directive.name == "include":
                for path in self.includes[directive.args[0]].paths:
                    yield from self.expanded(self.files[path].directives)
            else:
                yield directive

    def walk(self, outer: Directive) -> Iterator[Directive]:
        """Every directive inside `outer`, nested ones included, in nginx's order."""
        for directive in self.children(outer):
            yield directive
            if directive.block is not None:
                yield from self.walk(directive)

    def written(self, *names: str) -> Iterator[Directive]:
        """The directives of these names, by default all, once however often they are included."""
        words = [name.encode() for name in names]
        for file in self.files.values():
            # Of a thousand files few name one.
            if not words or any(word in file.data for word in words):
                found = _written(file.directives)
                yield from (one for one in found if not names or one.name in names)

    @property
    def servers(self) -> Iterator[Directive]:
        """The server blocks of the http blocks, in nginx's order."""
        for http in named(self.directives, "http"):
            yield from named(self.children(http), "server")

    def includes_of(self, directives: Iterable[Directive]) -> Iterator[tuple[Directive, Include]]:
        """The includes that act in one context, also those inside included files."""
        for directive in directives:
            if directive.name == "include":
                include = self.includes[directive.args[0]]
                yield directive, include
                for path in include.paths:
                    yield from self.includes_of(self.files[path].directives)

    def contents(self) -> dict[str, bytes]:
        """The bytes of every file that was read."""
        return {path: file.data for path, file in self.files.items()}


def _written(directives: Iterable[Directive]) -> Iterator[Directive]:
    for directive in directives:
        yield directive
        if directive.block is not None:
            yield from _written(directive.block)


def named(directives: Iterable[Directive], name: str) -> Iterator[Directive]:
    """Those of `directives` with this name."""
    return (directive for directive in directives if directive.name == name)
