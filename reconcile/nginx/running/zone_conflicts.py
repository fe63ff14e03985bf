"""Shared memory zones that nginx cannot give another meaning without a restart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from reconcile.nginx.model.config_tree import ConfigTree, Directive

_COUNTED = ("limit_req_zone", "limit_conn_zone")
_CACHED = ("proxy_cache_path", "fastcgi_cache_path", "uwsgi_cache_path", "scgi_cache_path")


class Zone(NamedTuple):
    """A zone of one directive; nginx keeps its memory while the size is the same."""

    directive: str
    name: str
    size: str


def zone_conflict(loaded: ConfigTree, wanted: ConfigTree) -> str:
    """Why a reload from `loaded` to `wanted` is ignored, though `nginx -t` accepts it; or "".

    Source: ngx_http_limit_req_init_zone(), ngx_http_limit_conn_init_zone() and
    ngx_http_file_cache_init() of nginx 1.22.
    """
    before = dict(_zones(loaded))
    for zone, use in _zones(wanted):
        old = before.get(zone, use)
        if old != use:
            return f"the zone {zone.name} of {zone.directive} is of {old} now, not of {use}"
    return ""


def _zones(tree: ConfigTree) -> Iterator[tuple[Zone, str]]:
    """Each zone with what it is of: a key, or a path and its levels."""
    for directive in tree.written(*_COUNTED, *_CACHED):
        if directive.name in _COUNTED and directive.args:
            yield from _zone(directive, "zone=", directive.args[0])
        elif directive.name in _CACHED and directive.args:
            levels = (word for word in directive.args if word.startswith("levels="))
            use = " ".join((directive.args[0].rstrip("/"), *levels))
            yield from _zone(directive, "keys_zone=", use)


def _zone(directive: Directive, key: str, use: str) -> Iterator[tuple[Zone, str]]:
    for word in directive.args:
        if word.startswith(key):
            name, _, size = word.removeprefix(key).partition(":")
            yield Zone(directive.name, name, size.lower()), use
