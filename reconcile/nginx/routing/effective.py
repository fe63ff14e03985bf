"""What holds at a location in the end: limits, logs, access, where it passes requests."""

from __future__ import annotations

from dataclasses import dataclass

from reconcile.nginx.model.scope import PASSES, Scope
from reconcile.nginx.model.sizes import body_limit
from reconcile.nginx.model.tree import Directive
from reconcile.nginx.routing.access import access_rules
from reconcile.nginx.routing.headers import AddedHeader, added_headers


@dataclass(frozen=True)
class Effective:
    """The values in force at one level, inheritance resolved.

    Empty tuples and None mean nginx's default; `body_limit` is in bytes, 0 none.
    `allowed_methods` is None where limit_except says nothing.
    """

    root: Directive | None
    headers: tuple[AddedHeader, ...]
    expires: Directive | None
    default_type: str
    access_log: tuple[tuple[str, ...], ...]
    body_limit: int
    auth_basic: str | None
    access_rules: tuple[Directive, ...]
    allowed_methods: frozenset[str] | None
    disable_symlinks: tuple[str, ...]
    passes_to: str | None
    is_internal: bool


def effective(scope: Scope) -> Effective:
    """Every value of interest at a level, as nginx would merge it."""
    realm = scope.argument("auth_basic", "off")
    return Effective(
        root=_root(scope),
        headers=added_headers(scope),
        expires=_last(scope, "expires"),
        default_type=scope.argument("default_type", "text/plain"),
        access_log=tuple(directive.args for directive in scope.inherited("access_log")),
        body_limit=body_limit(scope),
        auth_basic=None if realm == "off" else realm,
        access_rules=access_rules(scope),
        allowed_methods=_allowed_methods(scope),
        disable_symlinks=found.args if (found := _last(scope, "disable_symlinks")) else (),
        passes_to=_passes_to(scope),
        is_internal=bool(scope.inherited("internal")),
    )


def _last(scope: Scope, name: str) -> Directive | None:
    found = scope.inherited(name)
    return found[-1] if found else None


def _root(scope: Scope) -> Directive | None:
    level = scope.nearest("root", "alias")
    if level is None:
        return None
    return (level.own.get("alias") or level.own["root"])[0]


def _allowed_methods(scope: Scope) -> frozenset[str] | None:
    for limit in scope.own.get("limit_except", ()):
        return frozenset([*limit.args, "HEAD"] if "GET" in limit.args else limit.args)
    return None


def _passes_to(scope: Scope) -> str | None:
    handler = scope.handler
    return handler.args[0] if handler and handler.name in PASSES else None
