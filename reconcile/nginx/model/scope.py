"""The levels of a configuration (http, server, location, if) and what they inherit."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Literal

from reconcile.nginx.model.config_tree import ConfigTree, Directive
from reconcile.nginx.model.directive_form import check_form
from reconcile.nginx.model.latin1 import to_raw

Modifier = Literal["", "=", "^~", "~", "~*", "@"]

PASSES = frozenset(
    ["proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "memcached_pass"]
)
"""Directives that hand the request to another server."""

HANDLERS = PASSES | frozenset(
    [
        *("stub_status", "empty_gif", "flv", "mp4", "hls", "echo", "perl", "js_content"),
        *("content_by_lua", "content_by_lua_block", "content_by_lua_file"),
        *("redis_pass", "redis2_pass", "memc_pass", "postgres_pass", "drizzle_pass", "upload_pass"),
        *("nchan_pubsub", "nchan_publisher", "nchan_subscriber", "nchan_stub_status"),
        *("push_stream_publisher", "push_stream_subscriber", "push_stream_websocket"),
        *("rtmp_stat", "rtmp_control", "vod", "vhost_traffic_status_display"),
    ]
)
"""Directives that answer instead of the disk."""

_MODIFIERS: tuple[Modifier, ...] = ("=", "^~", "~*", "~")
_UNNAMED = ("if", "limit_except")
_REWRITES = frozenset(["set", "if", "rewrite", "return", "break"])


class Scope:
    """One level, with the level around it; an `if` or `limit_except` is a level too.

    `name` is the location's prefix or pattern, one character a byte; an unnamed
    level carries the name of the location around it.
    """

    def __init__(self, tree: ConfigTree, directive: Directive, parent: Scope | None = None) -> None:
        self.tree = tree
        self.directive = directive
        self.parent = parent
        self.modifier: Modifier = ""
        self.name: str = parent.name if parent and directive.name in _UNNAMED else ""
        if directive.name == "location":
            self.modifier, self.name = _location_name(directive.args)

    @cached_property
    def own(self) -> dict[str, list[Directive]]:
        """This level's directives by name, in nginx's order. Errors: NginxSyntaxError."""
        by_name: dict[str, list[Directive]] = {}
        for directive in self.tree.children(self.directive):
            check_form(directive)
            by_name.setdefault(directive.name, []).append(directive)
        return by_name

    @cached_property
    def directives(self) -> tuple[Directive, ...]:
        """This level's own directives, includes expanded."""
        return tuple(self.tree.children(self.directive))

    @cached_property
    def rewrites(self) -> tuple[Directive, ...]:
        """What the rewrite module runs at this level, in order."""
        if _REWRITES.isdisjoint(self.own):
            return ()
        return tuple(directive for directive in self.directives if directive.name in _REWRITES)

    @property
    def is_unnamed(self) -> bool:
        """Whether this is an `if` or `limit_except` block."""
        return self.directive.name in _UNNAMED

    @property
    def is_regex(self) -> bool:
        """Whether this is a location with `~` or `~*`."""
        return self.modifier in ("~", "~*")

    @cached_property
    def locations(self) -> tuple[Scope, ...]:
        """The locations directly inside, in the order of the files."""
        return tuple(Scope(self.tree, inner, self) for inner in self.own.get("location", ()))

    def outward(self) -> Iterator[Scope]:
        """This level, then each level around it."""
        scope: Scope | None = self
        while scope:
            yield scope
            scope = scope.parent

    def inward(self) -> Iterator[Scope]:
        """This level, then each location inside it, nested ones included."""
        yield self
        for location in self.locations:
            yield from location.inward()

    def nearest(self, *names: str) -> Scope | None:
        """The innermost level, from here outward, that has one of these directives."""
        for scope in self.outward():
            if any(name in scope.own for name in names):
                return scope
        return None

    def inherited(self, name: str) -> list[Directive]:
        """All `name` directives of the innermost level that has any."""
        return next((scope.own[name] for scope in self.outward() if name in scope.own), [])

    def argument(self, name: str, default: str) -> str:
        """The first argument of an inherited directive that takes one."""
        found = self.inherited(name)
        return found[-1].args[0] if found and found[-1].args else default

    @cached_property
    def handler(self) -> Directive | None:
        """What answers here instead of the disk; an unnamed level keeps the outer one's."""
        for name in self.own.keys() & HANDLERS:
            return self.own[name][-1]
        return self.parent.handler if self.is_unnamed and self.parent else None

    @property
    def redirects_bare(self) -> bool:
        """Whether nginx itself sends `/name` on to this location's `/name/`."""
        return self.name.endswith("/") and not PASSES.isdisjoint(self.own)

    def __str__(self) -> str:
        return " ".join([self.directive.name, *self.directive.args])


def _location_name(args: tuple[str, ...]) -> tuple[Modifier, str]:
    if len(args) > 1:
        return _modifier(args[0]), to_raw(args[1])
    written = to_raw(args[0]) if args else ""
    if written.startswith("@"):
        return "@", written
    modifier = _modifier(written)
    return modifier, written.removeprefix(modifier)


def _modifier(written: str) -> Modifier:
    for known in _MODIFIERS:
        if written.startswith(known):
            return known
    return ""
