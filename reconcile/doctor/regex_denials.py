"""What a server denies by regex locations, which a location with ^~ would no longer ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconcile.doctor.evidence import directive_text

if TYPE_CHECKING:
    from reconcile.nginx.model.scope import Scope
    from reconcile.nginx.routing.servers import Server

DENIAL = r"location ~ /\.(?!well-known/) { return 404; }"
"""What hides dotfiles."""


def regex_denials(server: Server) -> list[str]:
    """The server's regex locations that deny, as text: what replaces them must open nothing."""
    locations = server.scope.locations
    denying = (one for one in locations if one.is_regex and denies(one))
    return [directive_text(one.tree, one.directive) for one in denying]


def denies(scope: Scope) -> bool:
    """Whether it denies everybody, or answers with an error."""
    statuses = (directive.args[0] for directive in scope.own.get("return", ()))
    forbids = any(directive.args == ("all",) for directive in scope.own.get("deny", ()))
    return forbids or any(status[:1] == "4" for status in statuses)
