"""Nginx's token rules: the bytes of one file in, statements with line and byte span out.

Source: nginx's own reader of tokens (1.22 to 1.31), measured against `nginx -t`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from reconcile.errors import ReconcileError

BUFFER_SIZE = 4096
"""Nginx reads a file through a buffer of this many bytes; no token or comment may outgrow it."""

LUA_BLOCK = "_by_lua_block"

# The everyday directive in one step: printable ASCII, no quotes, escapes, comments or `${`.
# A word may contain quotes, `#` and `}` anywhere but at its start.
_PLAIN = re.compile(
    r"""[ \t\r\n]*+
        ( (?: [!%&(-:<-\[\]-z|~] | \$(?!\{) ) (?: [!-#%-:<-\[\]-z|}~]++ | \$(?!\{) )*+
          (?: [ \t\r\n]++
              (?: [!%&(-:<-\[\]-z|~] | \$(?!\{) ) (?: [!-#%-:<-\[\]-z|}~]++ | \$(?!\{) )*+ )*+ )
        [ \t\r\n]*+ ([;{])""",
    re.VERBOSE,
)
_SPACES = re.compile(r"[ \t\r\n]*+")
_BARE = re.compile(r"(?:[^ \t\r\n;{\\$]++|\$\{*+|\\[\s\S])*+")
_QUOTED = {
    '"': re.compile(r'"((?:[^"\\]++|\\[\s\S])*+)"'),
    "'": re.compile(r"'((?:[^'\\]++|\\[\s\S])*+)'"),
}
_ESCAPE = re.compile(r"\\([\"'\\trn])")
_ESCAPED = {"t": "\t", "r": "\r", "n": "\n"}
_LUA_INERT = re.compile(
    r"""(?: --\[(?P<a>=*)\[[\s\S]*?\](?P=a)\] | --[^\n]*+
          | \[(?P<b>=*)\[[\s\S]*?\](?P=b)\]
          | "(?:[^"\\]|\\[\s\S])*+" | '(?:[^'\\]|\\[\s\S])*+'
          | [^{}"'\[-]++ | [\[\-] )*+""",
    re.VERBOSE,
)


class NginxSyntaxError(ReconcileError):
    """Nginx would refuse this file; `message` is in its words, `file` and `line` its place."""

    def __init__(self, message: str, file: str, line: int) -> None:
        super().__init__(
            what=f"nginx cannot read {file}:{line}",
            why=message,
            fix=f"Correct {file} at line {line}.",
        )
        self.message, self.file, self.line = message, file, line


class Statement(NamedTuple):
    """One thing that nginx reads at a time; `start` and `end` are byte offsets.

    `kind` is `;` (a simple directive), `{` (a block opens), `}` (it closes),
    `#` (a comment) or `lua` (a whole block whose body, unread, is the last word).
    """

    kind: str
    words: list[str]
    line: int
    start: int
    end: int


def statements(data: bytes, file: str) -> Iterator[Statement]:
    """Split one file as nginx does; comments inside a directive follow it.

    Words are UTF-8 with surrogate escapes, their quotes and escapes resolved.
    Errors: NginxSyntaxError with nginx's message and line.
    """
    # Every byte becomes the character of the same number: a match's span is a byte span.
    text = data.decode("latin-1")
    plain, count, has_lua = _PLAIN.match, text.count, LUA_BLOCK in text
    position, line, counted = 0, 1, 0
    while True:
        match = None if has_lua else plain(text, position)
        if match and match.end() - position < BUFFER_SIZE:
            start, position = match.start(1), match.end()
            line, counted = line + count("\n", counted, start), start
            yield Statement(match[2], match[1].split(), line, start, position)
            continue
        found = _next_statements(text, position, file)
        if not found:
            return
        for kind, words, _, start, end in found:
            line, counted = line + count("\n", counted, start), start
            yield Statement(kind, words, line, start, end)
        position = found[0].end


def _next_statements(text: str, position: int, file: str) -> list[Statement]:
    """The next statement by every rule, with the comments inside it; [] at the end of the file."""
    words: list[str] = []
    comments: list[Statement] = []
    first = position
    while True:
        position = _skip_spaces(text, position)
        char = text[position : position + 1]
        if char == "#":
            comment = _comment(text, position, file)
            comments.append(comment)
            if not words:
                return comments
            position = comment.end
        elif char in "{};":
            return [*_end_statement(text, char, words, (first, position), file), *comments]
        else:
            first = first if words else position
            word, position = _word(text, position, file)
            words.append(word)


def _skip_spaces(text: str, position: int) -> int:
    match = _SPACES.match(text, position)
    return match.end() if match else position


def _comment(text: str, start: int, file: str) -> Statement:
    newline = text.find("\n", start)
    end = len(text) if newline < 0 else newline
    _check_length(text, start, end, file)
    return Statement("#", [], 0, start, end)


def _end_statement(
    text: str, char: str, words: list[str], span: tuple[int, int], file: str
) -> list[Statement]:
    first, last = span
    if not char and not words:
        return []
    if not char:
        raise _failure('unexpected end of file, expecting ";" or "}"', text, last, file)
    if (char == "}") == bool(words):
        raise _failure(f'unexpected "{char}"', text, last, file)
    if char == "{" and words[0].endswith(LUA_BLOCK):
        end = _lua_end(text, last + 1, file)
        return [Statement("lua", [*words, _decoded(text[last + 1 : end - 1])], 0, first, end)]
    return [Statement(char, words, 0, first if words else last, last + 1)]


def _word(text: str, start: int, file: str) -> tuple[str, int]:
    """The token at `start`, resolved, and where it ends."""
    if text[start] in _QUOTED:
        return _quoted_word(text, start, file)
    match = _BARE.match(text, start)
    end = match.end() if match else start
    follower = text[end : end + 1]
    if follower in ("", "\\"):
        _check_length(text, start, len(text), file)
        raise _failure('unexpected end of file, expecting ";" or "}"', text, len(text), file)
    _check_length(text, start, end + 1 if follower.isspace() else end, file)
    return _resolved(text[start:end]), end


def _quoted_word(text: str, start: int, file: str) -> tuple[str, int]:
    quote, start = text[start], start + 1
    match = _QUOTED[quote].match(text, start - 1)
    closed = match.end() - 1 if match else len(text)
    _check_length(text, start, closed, file, quote)
    if not match:
        raise _failure('unexpected end of file, expecting ";" or "}"', text, closed, file)
    follower = text[match.end() : match.end() + 1]
    _check_length(text, start, closed + 2 if follower.isspace() else closed + 1, file)
    # Nginx takes `)` for the start of a new token, so that `if ($a = "b")` reads.
    if follower not in ("", " ", "\t", "\r", "\n", ";", "{", ")"):
        raise _failure(f'unexpected "{_decoded(follower)}"', text, match.end(), file)
    return _resolved(match[1]), match.end()


def _check_length(text: str, start: int, last_read: int, file: str, quote: str = "") -> None:
    """Refuse a token that fills nginx's buffer before the character at `last_read` is had."""
    limit = start + BUFFER_SIZE
    if last_read < limit or limit >= len(text):
        return
    if quote:
        message = f'too long parameter, probably missing terminating "{quote}" character'
    else:
        message = f'too long parameter "{_decoded(text[start : start + 10])}..." started'
    raise _failure(message, text, start - 1, file)


def _resolved(raw: str) -> str:
    if "\\" in raw:
        raw = _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), raw)
    return _decoded(raw)


def _decoded(raw: str) -> str:
    return raw if raw.isascii() else raw.encode("latin-1").decode("utf-8", "surrogateescape")


def _lua_end(text: str, position: int, file: str) -> int:
    """Where the Lua block ends whose body starts at `position`, past its `}`."""
    depth = 1
    while depth:
        inert = _LUA_INERT.match(text, position)
        position = (inert.end() if inert else position) + 1
        if position > len(text):
            raise _failure('unexpected end of file, expecting "}"', text, len(text), file)
        depth += {"{": 1, "}": -1}.get(text[position - 1], 0)
    return position


def _failure(message: str, text: str, position: int, file: str) -> NginxSyntaxError:
    return NginxSyntaxError(message, file, 1 + text.count("\n", 0, position + 1))
