"""Reading nginx's configuration: files into directives, and includes into files."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from sys import intern

from reconcile.errors import ReconcileError
from reconcile.filesystem import globs
from reconcile.nginx.model.config_tree import Comment, ConfigTree, Directive, Include, ParsedFile
from reconcile.nginx.model.lexer import NginxSyntaxError, Statement, statements
from reconcile.nginx.model.reader import Reader

MAX_DEPTH = 100
"""Blocks in blocks, and files including files: deeper is refused here (nginx has no limit)."""
# Nginx reads the lines of these blocks with a handler that knows no nested block.
_SIMPLE = (";", "lua")
_FLAT_BLOCKS = frozenset({"types", "map", "geo", "split_clients", "charset_map"})


class IncludeCycleError(ReconcileError):
    """Files that include each other; nginx crashes on them."""


def load(
    config_path: str, reader: Reader, prefix: str | None = None, *, skips_broken: bool = False
) -> ConfigTree:
    """Read `config_path` and everything it includes.

    `prefix` is the base of relative includes; by default the configuration's folder,
    as in nginx. With `skips_broken` an included file that nginx would refuse is left out.
    Errors: NginxSyntaxError at nginx's own position; IncludeCycleError.
    """
    folder = config_path.rpartition("/")[0] if prefix is None else prefix.rstrip("/")
    loader = _Loader(reader, folder + "/", skips_broken=skips_broken)
    loader.open(config_path, included_by=None)
    return ConfigTree(config_path, loader.prefix, loader.files, loader.includes)


# A command reads the tree several times: the files, which it has to, but most are unchanged.
@lru_cache(maxsize=4096)
def parse(data: bytes, path: str) -> ParsedFile:
    """Read one file's directives and comments. Errors: NginxSyntaxError."""
    siblings: list[Directive] = []
    outer: list[tuple[list[Directive], Statement]] = []
    comments: list[Comment] = []
    for statement in statements(data, path):
        kind, words, line, start, end = statement
        if kind in _SIMPLE:
            siblings.append(_directive(words, path, line, start, end))
        elif kind == "{":
            if refusal := _why_not_opened(statement, outer):
                raise NginxSyntaxError(refusal, path, 1 + data.count(b"\n", 0, end))
            outer.append((siblings, statement))
            siblings = []
        elif kind == "}":
            if not outer:
                raise NginxSyntaxError('unexpected "}"', path, line)
            block = tuple(siblings)
            siblings, (_, words, line, start, _) = outer.pop()
            siblings.append(_directive(words, path, line, start, end, block))
        else:
            comments.append(Comment(line, start, end))
    if outer:
        last_line = 1 + data.count(b"\n")
        raise NginxSyntaxError('unexpected end of file, expecting "}"', path, last_line)
    return ParsedFile(path, data, tuple(siblings), tuple(comments))


def _directive(
    words: list[str],
    path: str,
    line: int,
    start: int,
    end: int,
    block: tuple[Directive, ...] | None = None,
) -> Directive:
    # The files of a thousand sites consist of the same few words.
    name, *args = map(intern, words)
    return Directive(name, tuple(args), path, line, start, end, block)


def _why_not_opened(opening: Statement, outer: list[tuple[list[Directive], Statement]]) -> str:
    """Why nginx would not let this block open here; "" where it would."""
    if opening.words[0] == "include":
        return 'directive "include" is not terminated by ";"'
    if outer and outer[-1][1].words[0] in _FLAT_BLOCKS:
        return 'unexpected "{"'
    return f"blocks nested more than {MAX_DEPTH} deep" if len(outer) >= MAX_DEPTH else ""


class _Loader:
    """Opens files depth first, each once, and remembers by which chain it came."""

    def __init__(self, reader: Reader, prefix: str, *, skips_broken: bool) -> None:
        self.reader = reader
        self.prefix = prefix
        self.skips_broken = skips_broken
        self.files: dict[str, ParsedFile] = {}
        self.includes: dict[str, Include] = {}
        self._chain: list[str] = []
        self._contents: dict[str, bytes] = {}

    def open(self, path: str, included_by: Directive | None) -> None:
        """Read `path` and everything it includes; a file already read is skipped."""
        if path in self._chain:
            raise _cycle([*self._chain[self._chain.index(path) :], path])
        if len(self._chain) >= MAX_DEPTH:
            message = f"files included more than {MAX_DEPTH} deep"
            raise NginxSyntaxError(message, self._chain[-1], included_by.line if included_by else 1)
        if path in self.files:
            return
        data = self._contents[path] = self._read(path, included_by)
        self._chain.append(path)
        try:
            file = self.files[path] = parse(data, path)
        except NginxSyntaxError as refused:
            # Nginx opens what is included above the error first, and may refuse that.
            self._open_all(_includes_above(data, path, refused.line))
            raise
        self._open_all(_every_include(file.directives))
        self._chain.pop()

    def _open_all(self, includes: Iterable[Directive]) -> None:
        for directive in includes:
            found = self._resolve(directive)
            paths = tuple(path for path in found.paths if self._has_opened(path, directive))
            if paths != found.paths:
                self.includes[directive.args[0]] = found._replace(paths=paths)

    def _has_opened(self, path: str, directive: Directive) -> bool:
        """Open `path`; False where nginx would refuse it, and it is to be left out."""
        depth = len(self._chain)
        try:
            self.open(path, directive)
        except (NginxSyntaxError, IncludeCycleError):
            if not self.skips_broken:
                raise
            del self._chain[depth:]
            self.files.pop(path, None)
            return False
        return True

    def _read(self, path: str, included_by: Directive | None) -> bytes:
        try:
            return self.reader.read(path)
        except OSError as error:
            call = "read" if isinstance(error, IsADirectoryError) else "open"
            message = f'{call}() "{path}" failed ({error.errno}: {error.strerror})'
            if included_by:
                refused = self._syntax_error(message, included_by)
                if error.errno == errno.ENOENT and self._resolve(included_by).is_glob:
                    # glob lists existing names only.
                    refused.fix = f"{path} is a broken symlink: remove it."
                raise refused from error
            raise ReconcileError(
                what=f"the nginx configuration {path} cannot be read",
                why=message,
                fix="Install nginx, or name its configuration with host.nginx.config.",
            ) from error

    def _syntax_error(self, message: str, directive: Directive) -> NginxSyntaxError:
        """Nginx names the line on which a directive ends."""
        text = self._contents[directive.file][directive.span]
        return NginxSyntaxError(message, directive.file, directive.line + text.count(b"\n"))

    def _resolve(self, directive: Directive) -> Include:
        if len(directive.args) != 1:
            message = 'invalid number of arguments in "include" directive'
            raise self._syntax_error(message, directive)
        written = directive.args[0]
        if written not in self.includes:
            self.includes[written] = self._include(written)
        return self.includes[written]

    def _include(self, written: str) -> Include:
        pattern = written if written.startswith("/") else self.prefix + written
        if not globs.is_glob(pattern):
            return Include(pattern, globs.static_folder(pattern), (pattern,), is_glob=False)
        paths = tuple(self.reader.glob(pattern))
        return Include(pattern, globs.static_folder(pattern), paths, is_glob=True)


def _every_include(directives: Iterable[Directive]) -> Iterator[Directive]:
    for directive in directives:
        if directive.name == "include":
            yield directive
        elif directive.block:
            yield from _every_include(directive.block)


def _includes_above(data: bytes, path: str, line: int) -> Iterator[Directive]:
    """The includes of a file that has an error at `line`."""
    with suppress(NginxSyntaxError):
        for kind, words, at, start, end in statements(data, path):
            if kind == ";" and words[0] == "include" and at <= line:
                yield Directive(words[0], tuple(words[1:]), path, at, start, end)


def _cycle(chain: list[str]) -> IncludeCycleError:
    return IncludeCycleError(
        what="nginx's configuration includes itself",
        why=" includes ".join(chain),
        fix=f"Remove the include that leads back to {chain[-1]}.",
    )
