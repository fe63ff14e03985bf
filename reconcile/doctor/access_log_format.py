"""What nginx wrote down of its visitors, read by the format that it was written in.

Source: ngx_http_log_module.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from reconcile.nginx.model.scope import Scope

COMBINED = (
    '$remote_addr - $remote_user [$time_local] "$request" '
    '$status $body_bytes_sent "$http_referer" "$http_user_agent"'
)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True)
class NginxAccessLog:
    """An access log: its file, and how a line of it is read."""

    path: str
    format: str

    def fields(self, line: str) -> Mapping[str, str]:
        """Variable → value; empty where the line is of another form.

        What a visitor sends is escaped by nginx, so that each value ends where what follows it
        in the form is met first; time is linear, whatever the visitor sent.
        """
        pieces = _VARIABLE.split(self.format)
        names = [one or other for one, other in zip(pieces[1::3], pieces[2::3], strict=True)]
        found: dict[str, str] = {}
        at = len(pieces[0])
        for name, after in zip(names, pieces[3::3], strict=True):
            end = line.find(after, at) if after else len(line)
            if end < 0:
                return {}
            found[name] = line[at:end]
            at = end + len(after)
        return found


def access_logs(scope: Scope, default: str) -> Iterator[NginxAccessLog]:
    """The access logs of one level; those without a fixed path, and syslog, are left out."""
    written = [one.args for one in scope.inherited("access_log")] or [(default,)]
    for path, *options in written:
        if path.startswith("/") and "$" not in path:
            name = options[0] if options and "=" not in options[0] else "combined"
            yield NginxAccessLog(path, _form(scope, name))


def _form(scope: Scope, name: str) -> str:
    for level in scope.outward():
        for one in level.own.get("log_format", ()):
            if one.args[0] == name:
                texts = one.args[1:]
                return "".join(texts[1:] if texts[0].startswith("escape=") else texts)
    return COMBINED


def answered_by(fields: Mapping[str, str]) -> Literal["app", "nginx", ""]:
    """`app` or `nginx` as the format's upstream variables tell it, "" where it has none."""
    upstream = fields.get("upstream_addr", fields.get("upstream_status", ""))
    return "" if not upstream else "nginx" if upstream == "-" else "app"
