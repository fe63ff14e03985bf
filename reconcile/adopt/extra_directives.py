"""Directives of a server block that no key covers, kept verbatim as `extra`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field

from reconcile.nginx.model.config_tree import ConfigTree, Directive
from reconcile.nginx.render import compression, encryption
from reconcile.nginx.routing.servers import Server

_COVERED = frozenset(
    [
        *("listen", "server_name", "ssl_certificate", "ssl_certificate_key"),
        *("http2", "absolute_redirect", "ssl"),
    ]
)
_CERTBOT = "options-ssl-nginx.conf"
"""Certbot's TLS settings, which a rendered site replaces."""
_YIELDING = encryption.DIRECTIVES | compression.DIRECTIVES
"""What a rendered site leaves to `extra`, but not to a file that `extra` includes."""


@dataclass
class ExtraDirectives:
    """The kept directives, notes as (position, text), and the included files."""

    lines: list[str] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    included: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The directives as one text."""
        return "\n".join(self.lines)


def find_extra(server: Server, tree: ConfigTree, covered: Iterable[Directive]) -> ExtraDirectives:
    """Collect the directives that are not in `covered`."""
    known = {(one.file, one.start) for one in covered}
    found = ExtraDirectives()
    for directive in server.scope.directive.block or ():
        if directive.name == "include":
            _include(directive, tree, known, found)
        elif not _is_covered(directive, known):
            _keep_directive(directive, tree, found)
    return found


def _is_covered(directive: Directive, known: set[tuple[str, int]]) -> bool:
    """Whether keys say it, or a rendered site has it; it never allows more protocols."""
    if directive.name == "ssl_protocols" and {*directive.args} < {*encryption.PROTOCOLS}:
        return False
    is_own = directive.name in _COVERED or directive.name == "ssl_protocols"
    return is_own or (directive.file, directive.start) in known


def find_beside_servers(file: str, tree: ConfigTree) -> ExtraDirectives:
    """Collect the outermost directives of a file that are no servers."""
    found = ExtraDirectives()
    for directive in tree.files[file].directives:
        if directive.name != "server":
            _keep_directive(directive, tree, found)
    return found


def _include(
    directive: Directive, tree: ConfigTree, known: set[tuple[str, int]], found: ExtraDirectives
) -> None:
    """Keep an include, unless keys cover all of it: nginx rejects duplicates."""
    found.included += tree.includes[directive.args[0]].paths
    if directive.args[0].endswith(_CERTBOT):
        return
    inside = list(tree.expanded([directive]))
    duplicates = [one for one in inside if _is_covered(one, known)]
    if inside and len(duplicates) == len(inside):
        return
    if any(one.name in _YIELDING for one in inside):
        for one in inside:
            if not _is_covered(one, known):
                _keep_directive(one, tree, found)
        return
    if duplicates:
        names = ", ".join(" ".join([one.name, *one.args]) for one in duplicates)
        what = f"include {directive.args[0]} duplicates keys of the YAML: {names}"
        found.notes.append((directive.place, what))
    _keep_directive(directive, tree, found)


def _keep_directive(directive: Directive, tree: ConfigTree, found: ExtraDirectives) -> None:
    text = _dedented_source(directive, tree)
    if text is None:
        what = f"{directive.name} is not valid UTF-8 and is left out"
        found.notes.append((directive.place, what))
    else:
        found.lines.append(text)


def _dedented_source(directive: Directive, tree: ConfigTree) -> str | None:
    """The directive's text without its indentation; None where it is not UTF-8."""
    data = tree.files[directive.file].data
    before = data[: directive.start].rpartition(b"\n")[2]
    indent = before if before.isspace() else b""
    try:
        text = (indent + data[directive.span]).decode()
    except UnicodeDecodeError:
        return None
    return text.strip() if _spans_lines(directive) else textwrap.dedent(text).strip()


def _spans_lines(directive: Directive) -> bool:
    """Whether a word spans lines, so that its whitespace matters."""
    inner = directive.block or ()
    return any("\n" in word for word in directive.args) or any(map(_spans_lines, inner))
