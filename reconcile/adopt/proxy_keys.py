"""Locations that pass requests on: timeouts, WebSockets, limits, and those beside the app's own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from reconcile.adopt.host_readings import Inspector
from reconcile.adopt.site_keys import read_access
from reconcile.config.fields.quantities import BYTES
from reconcile.doctor.upstream import ProxyLocation
from reconcile.nginx.model.config_tree import Directive, named
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.model.sizes import parse_size

TIMEOUTS = ("proxy_connect_timeout", "proxy_send_timeout", "proxy_read_timeout")
_LONGEST_CONNECT_S = 75
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_HEADERS = re.compile(r"host|x-real-ip|x-forwarded-(?:for|proto|host)|connection|upgrade", re.I)
_USUAL = {
    *("proxy_pass", "proxy_set_header", "proxy_http_version", "include", "proxy_redirect"),
    *("client_max_body_size", "limit_req", "limit_req_status", *TIMEOUTS),
    *("auth_basic", "auth_basic_user_file", "allow", "deny", "satisfy"),
}


def read_timeout(scope: Scope) -> str | None:
    """The `timeout` that a location has of its own, where one number says it."""
    found = {name: seconds(scope.own[name][-1].args[0]) for name in TIMEOUTS if name in scope.own}
    read_s = found.get("proxy_read_timeout")
    if not read_s or found.get("proxy_send_timeout", read_s) != read_s:
        return None
    expected = min(read_s, _LONGEST_CONNECT_S)
    return f"{read_s}s" if found.get("proxy_connect_timeout", expected) == expected else None


def seconds(text: str) -> int | None:
    """A time of nginx in seconds; None where it is written in another way."""
    found = re.fullmatch(r"(\d{1,6})([smh]?)", text)
    return int(found[1]) * _UNITS[found[2]] if found else None


def passes_websockets(scope: Scope) -> bool:
    """Whether `Upgrade` is passed on."""
    headers = {one.args[0].lower(): one.args[1] for one in scope.own.get("proxy_set_header", ())}
    return headers.get("upgrade") == "$http_upgrade" and "connection" in headers


def group_servers(proxy: ProxyLocation) -> list[str]:
    """The servers of an upstream group that are told apart by nothing; [] otherwise."""
    written = re.sub(r"^https?://", "", proxy.directive.args[0]).partition("/")[0]
    for http in named(proxy.scope.tree.directives, "http"):
        for group in named(proxy.scope.tree.children(http), "upstream"):
            inside = list(proxy.scope.tree.children(group))
            is_plain = all(one.name == "server" and len(one.args) == 1 for one in inside)
            if group.args == (written,) and is_plain:
                return [target_url(target) for target in proxy.targets]
    return []


def target_url(target: str) -> str:
    """An upstream as the YAML has it."""
    return target if target.startswith("unix:") else f"http://{target}"


def adopt_proxied(
    scope: Scope,
    proxies: Mapping[tuple[str, int], ProxyLocation],
    app: Mapping[str, Any],
    inspector: Inspector,
) -> Iterator[tuple[str, dict[str, Any], Directive]]:
    """Key, entry and directive of each location that `role: proxy` says as a whole."""
    if any(one.is_regex for one in scope.locations):
        # Whether they come before a prefix depends on its modifier.
        return
    for one in scope.locations:
        handler = one.own.get("proxy_pass", [])
        at = (one.directive.file, one.directive.start)
        is_key = one.modifier == "=" or (one.modifier in ("", "^~") and one.name.endswith("/"))
        if len(handler) == 1 and is_key and one.name != "/" and at in proxies:
            entry = _entry(one, proxies[at], app, inspector)
            if entry is not None:
                yield one.name, entry, one.directive


def _entry(
    scope: Scope, proxy: ProxyLocation, app: Mapping[str, Any], inspector: Inspector
) -> dict[str, Any] | None:
    if not _is_usual(scope) or not proxy.targets:
        return None
    path = re.fullmatch(r"http://(?:unix:[^:]+:?|[^/]+)(/?)", scope.own["proxy_pass"][0].args[0])
    if path is None or (path[1] and not scope.name.endswith("/")):
        return None
    entry: dict[str, Any] = {"role": "proxy"}
    targets = [target_url(one) for one in proxy.targets]
    if len(targets) > 1 and not group_servers(proxy):
        return None
    upstream = targets if len(targets) > 1 else targets[0]
    if upstream != app.get("upstream"):
        entry["upstream"] = upstream
    if path[1]:
        entry["strip_prefix"] = True
    if any(name in scope.own for name in TIMEOUTS):
        timeout = read_timeout(scope)
        if timeout is None:
            return None
        entry["timeout"] = timeout
    if passes_websockets(scope):
        entry["websocket"] = True
    return _with_limits(scope, entry, inspector)


def _with_limits(
    scope: Scope, entry: dict[str, Any], inspector: Inspector
) -> dict[str, Any] | None:
    """The entry with its limits and its access; None where a key says them otherwise."""
    for one in scope.own.get("client_max_body_size", ()):
        size = parse_size(one.args[0])
        unit = next((u for u in ("GB", "MB", "KB") if size and size % BYTES[u] == 0), None)
        if not size or not unit:
            return None
        entry["max_upload"] = f"{size // BYTES[unit]}{unit}"
    if "limit_req" in scope.own:
        limit = read_rate_limit(scope)
        if limit is None:
            return None
        entry["rate_limit"] = limit
    access, covered = read_access(scope, inspector)
    has_access = any(name in scope.own for name in ("auth_basic", "allow", "deny", "satisfy"))
    if has_access and not covered:
        return None
    return entry | ({"access": access} if access else {})


def read_rate_limit(scope: Scope) -> dict[str, Any] | None:
    """The `rate_limit` of a location: without delay, by address, answered 429."""
    words = scope.own["limit_req"][-1].args
    values = dict(word.split("=", 1) for word in words if "=" in word)
    is_plain = "nodelay" in words or "burst" not in values
    if not is_plain or scope.argument("limit_req_status", "503") != "429":
        return None
    for http in named(scope.tree.directives, "http"):
        for zone in named(scope.tree.children(http), "limit_req_zone"):
            parts = dict(word.split("=", 1) for word in zone.args[1:] if "=" in word)
            is_it = parts.get("zone", "").partition(":")[0] == values.get("zone")
            if is_it and zone.args[0] == "$binary_remote_addr":
                burst = int(values.get("burst", "0"))
                return {"rate": parts["rate"], **({"burst": burst} if burst else {})}
    return None


def _is_usual(scope: Scope) -> bool:
    headers = scope.own.get("proxy_set_header", ())
    includes = scope.own.get("include", ())
    return (
        {one.name for one in scope.directives} <= _USUAL
        and all(_HEADERS.fullmatch(one.args[0]) for one in headers)
        and all(one.args[0].endswith("proxy_params") for one in includes)
        and all(one.args[0] in ("off", "default") for one in scope.own.get("proxy_redirect", ()))
    )
