"""Read nginx's access logs by the format that they are written in.

Source: ngx_http_log_module.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from reconcile.nginx.model.scope import Scope

COMBINED = (
    '$remote_addr - $remote_user [$time_local] "$request" '
    '$status $body_bytes_sent "$http_referer" "$http_user_agent"'
)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True)
class NginxAccessLog:
    """An access log: its file, and the `log_format` of its lines."""

    path: str
    format: str

    def fields(self, line: str) -> Mapping[str, str]:
        """Variable → value; empty where the line has another format.

        nginx escapes what visitors send, so each value ends at the first occurrence of the text
        that follows it in the format. Takes linear time, whatever the visitor sent.
        """
        found: dict[str, str] = {}
        at, variables = self._pieces
        for name, after in variables:
            end = line.find(after, at) if after else len(line)
            if end < 0:
                return {}
            found[name] = line[at:end]
            at = end + len(after)
        return found

    @cached_property
    def _pieces(self) -> tuple[int, list[tuple[str, str]]]:
        """The length of the text before the first variable; each variable and what follows it."""
        first, *pieces = _VARIABLE.split(self.format)
        names = [one or other for one, other in zip(pieces[::3], pieces[1::3], strict=True)]
        return len(first), list(zip(names, pieces[2::3], strict=True))


def access_logs(scope: Scope, default: str) -> Iterator[NginxAccessLog]:
    """The access logs in force at `scope`; syslog and paths with variables are left out."""
    declared = [one.args for one in scope.inherited("access_log")] or [(default,)]
    for path, *options in declared:
        if path.startswith("/") and "$" not in path:
            name = options[0] if options and "=" not in options[0] else "combined"
            yield NginxAccessLog(path, _log_format(scope, name))


def _log_format(scope: Scope, name: str) -> str:
    for level in scope.outward():
        for one in level.own.get("log_format", ()):
            if one.args[0] == name:
                texts = one.args[1:]
                return "".join(texts[1:] if texts[0].startswith("escape=") else texts)
    return COMBINED


def answered_by(fields: Mapping[str, str]) -> Literal["app", "nginx", ""]:
    """Who answered by the format's upstream variables; "" where it has none."""
    upstream = fields.get("upstream_addr", fields.get("upstream_status", ""))
    return "" if not upstream else "nginx" if upstream == "-" else "app"
