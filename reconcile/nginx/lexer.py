"""Nginx's token rules: bytes in, statements with line and byte span out.

Source: ngx_conf_read_token() of nginx 1.22 and 1.31, read and then measured against `nginx -t`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from reconcile.errors import ReconcileError

BUFFER_SIZE = 4096
"""Nginx reads through a buffer of this many bytes; no token or comment may outgrow it."""

# Every byte becomes the character of the same number, so a match's span is a byte span.
_PLAIN = re.compile(
    r"""[ \t\r\n]*+
        ( (?: [!%&(-:<-\[\]-z|~] | \$(?!\{) ) (?: [!-#%-:<-\[\]-z|}~] | \$(?!\{) )*+
          (?: [ \t\r\n]++
              (?: [!%&(-:<-\[\]-z|~] | \$(?!\{) ) (?: [!-#%-:<-\[\]-z|}~] | \$(?!\{) )*+ )*+ )
        [ \t\r\n]*+ ([;{])""",
    re.VERBOSE,
)
_SPACES = re.compile(r"[ \t\r\n]*+")
_BARE = re.compile(r"(?:[^ \t\r\n;{\\$]|\$\{*+|\\[\s\S])*+")
_QUOTED = {
    '"': re.compile(r'"((?:[^"\\]|\\[\s\S])*+)"'),
    "'": re.compile(r"'((?:[^'\\]|\\[\s\S])*+)'"),
}
_ESCAPE = re.compile(r"\\([\"'\\trn])")
_UNESCAPED = {"t": "\t", "r": "\r", "n": "\n"}
_LUA_SKIP = re.compile(
    r"""--\[(=*)\[[\s\S]*?\]\1\]|--[^\n]*|\[(=*)\[[\s\S]*?\]\2\]
        |"(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\]|\\[\s\S])*'|[^{}"'\[-]+|[\[-]""",
    re.VERBOSE,
)


class NginxSyntaxError(ReconcileError):
    """Nginx would refuse this file; `message` is in its words, `file` and `line` are its place."""

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
    `#` (a comment) or `lua` (a block whose body is the last word, unread).
    """

    kind: str
    words: list[str]
    line: int
    start: int
    end: int


def statements(data: bytes, file: str) -> Iterator[Statement]:
    """Split one file as nginx does; comments inside a directive come before it.

    Words are UTF-8 with surrogate escapes, quotes and escapes resolved.
    Errors: NginxSyntaxError with nginx's message and line.
    """
    text = data.decode("latin-1")
    plain, count = _PLAIN.match, text.count
    pos, line, counted = 0, 1, 0
    while True:
        match = plain(text, pos)
        if match and match.end() - pos < BUFFER_SIZE:
            start, end = match.start(1), match.end()
            found = [Statement(match[2], match[1].split(), 0, start, end)]
        else:
            found = _careful(text, pos, file)
        for kind, words, _, start, end in found:
            if kind != "#" or start >= counted:
                line, counted = line + count("\n", counted, start), start
            if kind == "{" and words[0].endswith("_by_lua_block"):
                end = _lua_end(text, end, file)
                yield Statement("lua", [*words, _word(text[match_brace(text, start) : end - 1])], line, start, end)
                continue
            yield Statement(kind, words, line, start, end)
        if not found:
            return
        pos = end
