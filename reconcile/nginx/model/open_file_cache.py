"""Folders whose files nginx keeps open: until it looks again, it sends what they held before."""

from __future__ import annotations

from posixpath import join

from reconcile.nginx.model.build import Build
from reconcile.nginx.model.config_tree import ConfigTree, Directive, named
from reconcile.nginx.model.scope import Scope

DIRECTIVE = "open_file_cache"


def cached_folders(tree: ConfigTree, prefix: str = Build.prefix) -> frozenset[str]:
    """The roots and aliases below which open files are cached, without what variables add."""
    if not any(map(_is_on, tree.written(DIRECTIVE))):
        return frozenset()
    return frozenset(
        join(prefix, folder)
        for http in named(tree.directives, "http")
        for server in named(tree.children(http), "server")
        for scope in Scope(tree, server, Scope(tree, http)).inward()
        if cache_of(scope)
        for folder in _folders(scope)
    )


def cache_of(scope: Scope) -> Directive | None:
    """The directive by which open files are cached there, if any."""
    found = scope.inherited(DIRECTIVE)
    return found[-1] if found and _is_on(found[-1]) else None


def _is_on(directive: Directive) -> bool:
    return any(arg.startswith("max=") for arg in directive.args)


def _folders(scope: Scope) -> list[str]:
    level = scope.nearest("alias", "root")
    written = [*level.own.get("alias", ()), *level.own.get("root", ())] if level else []
    return [one.args[0].partition("$")[0] for one in written] or ["html"]
