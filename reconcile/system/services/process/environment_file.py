"""Parse the files of EnvironmentFile= as systemd does."""

from __future__ import annotations

import re

_ASSIGNMENT = (
    r"""(?ms)^[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*"""
    r"""((?:(?:'[^']*'|"(?:[^"\\]|\\.)*")[ \t]*)*)"""
    r"""((?:[^\n\\]|\\.)*)"""
)
_QUOTED = r"""(?s)'([^']*)'|"((?:[^"\\]|\\.)*)\""""
_ESCAPED_IN_QUOTES = r"""\\(["\\`$]|\n)"""
_ESCAPED = r"(?s)\\(.)"


def parse_environment(text: str) -> dict[str, str]:
    """The variables of an environment file; lines that assign nothing are ignored.

    Source: systemd.exec(5), EnvironmentFile=.
    """
    return {name: _unquoted(quoted, plain) for name, quoted, plain in re.findall(_ASSIGNMENT, text)}


def _unquoted(quoted: str, plain: str) -> str:
    parts = [
        single or re.sub(_ESCAPED_IN_QUOTES, _unescaped, double)
        for single, double in re.findall(_QUOTED, quoted)
    ]
    return "".join(parts) + re.sub(_ESCAPED, _unescaped, plain.rstrip(" \t\r"))


def _unescaped(match: re.Match[str]) -> str:
    return "" if match[1] == "\n" else match[1]
