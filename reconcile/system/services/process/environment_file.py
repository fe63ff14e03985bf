"""Parse the files of EnvironmentFile= as systemd does."""

from __future__ import annotations

import re

_ASSIGNMENT = re.compile(
    r"""^[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*"""
    r"""((?:(?:'[^']*'|"(?:[^"\\]|\\.)*")[ \t]*)*)"""
    r"""((?:[^\n\\]|\\.)*)""",
    re.MULTILINE | re.DOTALL,
)
_QUOTED = re.compile(r"""'([^']*)'|"((?:[^"\\]|\\.)*)\"""", re.DOTALL)
_ESCAPED_IN_QUOTES = re.compile(r"""\\(["\\`$]|\n)""")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parse_environment(text: str) -> dict[str, str]:
    """The variables of an environment file; lines that assign nothing are ignored.

    Source: systemd.exec(5), EnvironmentFile=.
    """
    return {name: _unquoted(quoted, plain) for name, quoted, plain in _ASSIGNMENT.findall(text)}


def _unquoted(quoted: str, plain: str) -> str:
    parts = [
        single or _ESCAPED_IN_QUOTES.sub(_unescaped, double)
        for single, double in _QUOTED.findall(quoted)
    ]
    return "".join(parts) + _ESCAPED.sub(_unescaped, plain.rstrip(" \t\r"))


def _unescaped(match: re.Match[str]) -> str:
    return "" if match[1] == "\n" else match[1]
