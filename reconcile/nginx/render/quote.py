"""One value as one nginx token."""

from __future__ import annotations

import re

from reconcile.errors import ReconcileError

_BARE = r"(?a)[A-Za-z0-9/.:*@%+,=_~\[\]-]+"
_CONTROL = r"[\x00-\x1f\x7f-\x9f\u2028\u2029]"
_TOKEN_LIMIT = 4000
"""Nginx refuses a token of 4096 bytes; the rest is for its quotes and the directive's name."""


class Raw(str):
    """Configuration text of our own making, or already parsed: passes unquoted."""

    __slots__ = ()


class Unquotable(ReconcileError):
    """A value that cannot be written as one nginx token."""


def nginx_quote(value: str | int) -> str:
    """`value` as one token that nginx reads back as exactly that.

    Errors: Unquotable for control characters, for `$` (nginx has no escape for
    it: it would become a variable), for an empty or an overlong value.
    Source: ngx_conf_read_token() and ngx_http_script_compile() of nginx 1.22.
    """
    if isinstance(value, Raw | int):
        return str(value)
    if reason := _unquotable(value):
        raise Unquotable(
            what=f"an nginx configuration cannot contain {value!r}",
            why=reason,
            fix="Choose another value in reconcile.yaml. Nothing was changed.",
        )
    if re.fullmatch(_BARE, value):
        return value
    return f'"{_escaped(value)}"'


def quote_with_variables(value: str, variables: str) -> Raw:
    """`value` and behind it `variables` of nginx, as one token. Errors: Unquotable."""
    nginx_quote(value)
    return Raw(f'"{_escaped(value)}{variables}"')


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _unquotable(value: str) -> str:
    if not value:
        return "it is empty"
    if re.search(_CONTROL, value):
        return "it contains a control character"
    if "$" in value:
        return "nginx would read its $ as a variable, and has no escape for it"
    if len(_escaped(value).encode("utf-8", "surrogateescape")) > _TOKEN_LIMIT:
        return f"it is longer than {_TOKEN_LIMIT} bytes"
    return ""
