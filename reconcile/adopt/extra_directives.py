"""What of a server block no key of the YAML says: kept word for word, as `extra`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field

from reconcile.nginx.model.tree import ConfigTree, Directive
from reconcile.nginx.routing.servers import Server

_SAID = frozenset(
    [
        *("listen", "server_name", "ssl_certificate", "ssl_certificate_key", "ssl_protocols"),
        *("http2", "absolute_redirect", "ssl"),
    ]
)
_CERTBOT = "options-ssl-nginx.conf"
"""Certbot's own choice of protocols, which a file of ours makes as well."""


@dataclass
class Extra:
    """The text; what it cannot say, as place and words; the files that are included."""

    lines: list[str] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)
    included: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def extra_of(server: Server, tree: ConfigTree, said: Iterable[Directive]) -> Extra:
    """The directives that are left once `said` are said by keys of their own."""
    known = {(one.file, one.start) for one in said}
    found = Extra()
    for directive in server.scope.directive.block or ():
        if directive.name == "include":
            _include(directive, tree, known, found)
        elif directive.name not in _SAID and (directive.file, directive.start) not in known:
            _keep(directive, tree, found)
    return found


def _include(
    directive: Directive, tree: ConfigTree, known: set[tuple[str, int]], found: Extra
) -> None:
    """An include is kept, but for what the keys say already: twice, Nginx would refuse it."""
    found.included += tree.includes[directive.args[0]].paths
    if directive.args[0].endswith(_CERTBOT):
        return
    inside = list(tree.expanded([directive]))
    doubled = [one for one in inside if (one.file, one.start) in known or one.name in _SAID]
    if inside and len(doubled) == len(inside):
        return
    if doubled:
        names = ", ".join(" ".join([one.name, *one.args]) for one in doubled)
        what = f"include {directive.args[0]} holds what the YAML says as well: {names}"
        found.told.append((directive.place, what))
    _keep(directive, tree, found)


def _keep(directive: Directive, tree: ConfigTree, found: Extra) -> None:
    text = _text(directive, tree)
    if text is None:
        what = f"{directive.name} is in no encoding that YAML can hold, and is left out"
        found.told.append((directive.place, what))
    else:
        found.lines.append(text)


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
