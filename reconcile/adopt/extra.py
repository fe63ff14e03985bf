"""What of a server block no key of the YAML says: kept word for word, as `extra`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from reconcile.nginx.config.tree import ConfigTree, Directive
from reconcile.nginx.routing.servers import Server

_SAID = frozenset(
    [
        *("listen", "server_name", "ssl_certificate", "ssl_certificate_key", "ssl_protocols"),
        *("http2", "absolute_redirect", "ssl"),
    ]
)
_CERTBOT = "options-ssl-nginx.conf"
"""Certbot's own choice of protocols, which a file of ours makes as well."""


def extra_of(server: Server, tree: ConfigTree, said: Iterable[Directive]) -> tuple[str, list[str]]:
    """The directives that are left, as text; and those that no text can hold, each by its words."""
    known = {(one.file, one.start) for one in said}
    kept, lost = [], []
    for directive in server.scope.directive.block or ():
        if directive.name in _SAID or (directive.file, directive.start) in known:
            continue
        if directive.name == "include" and directive.args[0].endswith(_CERTBOT):
            continue
        text = _text(directive, tree)
        if text is None:
            lost.append(f"{directive.name} ({directive.place})")
        else:
            kept.append(text)
    return "\n".join(kept), lost


def _text(directive: Directive, tree: ConfigTree) -> str | None:
    """Its own bytes, moved to the left margin; None where YAML cannot hold them."""
    data = tree.files[directive.file].data
    before = data[: directive.start].rpartition(b"\n")[2]
    indent = before if before.isspace() else b""
    try:
        text = (indent + data[directive.span]).decode()
    except UnicodeDecodeError:
        return None
    return text.strip() if _spans_lines(directive) else textwrap.dedent(text).strip()


def _spans_lines(directive: Directive) -> bool:
    """Whether a word goes over several lines: the space in it is its own."""
    inner = directive.block or ()
    return any("\n" in word for word in directive.args) or any(map(_spans_lines, inner))
