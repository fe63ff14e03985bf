"""Directives of a hand-written server that say exactly what a key of a site says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from posixpath import join, splitext
from typing import Any

from reconcile.adopt.host_readings import Inspector, has_file
from reconcile.config.fields.field_type import InvalidValue
from reconcile.config.fields.network import parse_network
from reconcile.config.site.error_pages import SERVER_FAILURES
from reconcile.config.site.networks import check_networks
from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.model.scope import Scope

_KEY = r"/[A-Za-z0-9/._~-]*"
_TARGET = re.compile(r"(?:https?://[A-Za-z0-9.-]+(?::\d+)?)?/(?!/)[A-Za-z0-9/._~?&=#+-]*")
_ONE_URL = re.compile(rf"\^({_KEY})\$")
_PREFIX = re.compile(r"\^(/[A-Za-z0-9/_-]*/)\([.][*]\)\$")
_FLAGS = {"permanent": 301, "redirect": 302}
_STATUSES = (301, 302, 303, 307, 308)
_PAGES = (".html", ".txt", ".json")
_EVERYTHING = ("^", "^(.*)$", "^.*$", ".*", "(.*)", "^/(.*)$", "^/", "^(.+)$")
_IN_NAMED = {"root", "rewrite", "try_files", "internal", "access_log"}
_IN_PAGE = {"internal", "root", "alias", "allow", "access_log"}


def adopt_site_keys(
    scope: Scope, entry: dict[str, Any], inspector: Inspector
) -> Iterator[Directive]:
    """Set the keys of the site's entry; yield the directives that they cover."""
    yield from _gzip(scope, entry)
    yield from _http2(scope, entry)
    yield from _redirects(scope, entry)
    yield from _error_pages(scope, entry, inspector)
    yield from _trusted_proxies(scope, entry)
    access, covered = read_access(scope, inspector)
    if access:
        entry["access"] = access
        yield from covered


def _gzip(scope: Scope, entry: dict[str, Any]) -> Iterator[Directive]:
    found = scope.own.get("gzip", [])
    if [one.args for one in found] == [("off",)]:
        entry["gzip"] = False
        yield from found


def _http2(scope: Scope, entry: dict[str, Any]) -> Iterator[Directive]:
    """On where it is written; nothing else says that it was not wanted."""
    words = {word for one in scope.own.get("listen", ()) for word in one.args}
    written = scope.own.get("http2", [])
    if "tls" in entry and ("http2" in words or [one.args for one in written] == [("on",)]):
        entry["http2"] = True
        yield from written
    elif "tls" in entry and [one.args for one in written] == [("off",)]:
        entry["http2"] = False
        yield from written


def _redirects(scope: Scope, entry: dict[str, Any]) -> Iterator[Directive]:
    found: dict[str, Any] = {}
    for directive, key, target, status in (*_location_redirects(scope), *_rewrites(scope)):
        if key in found or not _TARGET.fullmatch(target) or _is_in_location(scope, key):
            continue
        if key.endswith("/") != target.endswith("/") and key.endswith("/"):
            continue
        found[key] = target if status == 301 else {"to": target, "status": status}
        yield directive
    if found:
        entry["redirects"] = found


def _location_redirects(scope: Scope) -> Iterator[tuple[Directive, str, str, int]]:
    for one in scope.locations:
        only = {name for name in one.own if one.own[name]}
        is_slash = f"{one.name}/" in {other.name for other in scope.locations}
        if one.modifier == "=" and only == {"return"} and not is_slash:
            [*codes, target] = one.own["return"][-1].args
            plain = target.removesuffix("$is_args$args")
            status = int(codes[0]) if codes and codes[0].isdigit() else 302
            if status in _STATUSES and re.fullmatch(_KEY, one.name):
                yield one.directive, one.name, plain, status
        elif one.modifier in ("", "^~") and only == {"rewrite"}:
            for _, key, target, status in _rewrites(one):
                if key == one.name and len(one.own["rewrite"]) == 1:
                    yield one.directive, key, target, status


def _rewrites(scope: Scope) -> Iterator[tuple[Directive, str, str, int]]:
    for one in scope.own.get("rewrite", ()):
        if len(one.args) != 3 or one.args[2] not in _FLAGS:
            continue
        pattern, target, flag = one.args
        single, prefix = _ONE_URL.fullmatch(pattern), _PREFIX.fullmatch(pattern)
        if single and "$" not in target and not single[1].endswith("/"):
            yield one, single[1].replace("\\", ""), target, _FLAGS[flag]
        elif prefix and target.endswith("/$1") and "$" not in target[:-2]:
            yield one, prefix[1], target.removesuffix("$1"), _FLAGS[flag]


def _is_in_location(scope: Scope, key: str) -> bool:
    """Whether a location has that URL: of the two the file can have only one."""
    names = {
        one.name
        for one in scope.locations
        if one.modifier in ("", "^~") and "rewrite" not in one.own and one.name != "/"
    }
    return key == "/" or any(key.startswith(name) for name in names)


def _error_pages(scope: Scope, entry: dict[str, Any], inspector: Inspector) -> Iterator[Directive]:
    pages: dict[str, Any] = {}
    covered: list[Directive] = []
    for one in scope.own.get("error_page", ()):
        [*codes, uri] = one.args
        found = _page(scope, uri, inspector) if all(code.isdigit() for code in codes) else None
        if found is None:
            continue
        location, path = found
        names = ["50x"] if set(codes) == set(SERVER_FAILURES) else codes
        pages |= dict.fromkeys(names, path)
        covered += [one, location.directive]
    intercepts = scope.own.get("proxy_intercept_errors", [])
    if pages and [one.args for one in intercepts] == [("on",)]:
        pages["intercept"] = True
        covered += intercepts
    if pages:
        entry["error_pages"] = pages
        yield from covered


def _page(scope: Scope, uri: str, inspector: Inspector) -> tuple[Scope, str] | None:
    """The location of a page that only errors lead to, and its file."""
    for one in scope.locations:
        if one.modifier == "@" and one.name == uri and one.own.keys() <= _IN_NAMED:
            path = one.argument("root", "$") + _shown_file(one)
            return (one, path) if _is_page(path) and has_file(inspector, path) else None
        if one.modifier != "=" or one.name != uri or not {"internal"} <= one.own.keys() <= _IN_PAGE:
            continue
        alias = one.own.get("alias")
        root = one.inherited("root")
        path = alias[0].args[0] if alias else root[0].args[0] + uri if root else ""
        if _is_page(path):
            return (one, path) if has_file(inspector, path) else None
    return None


def _shown_file(named: Scope) -> str:
    """The URI that a named location sends for every request; "$" for none."""
    words = [one.args for name in ("rewrite", "try_files") for one in named.own.get(name, ())]
    for pattern, uri, flag in words if len(words) == 1 and len(words[0]) == 3 else ():
        if pattern in _EVERYTHING and flag == "break" and uri.startswith("/"):
            return uri
    for uri, last in words if len(words) == 1 and len(words[0]) == 2 else ():
        if last.startswith("=") and uri.startswith("/"):
            return uri
    return "$"


def _is_page(path: str) -> bool:
    return path.startswith("/") and "$" not in path and splitext(path)[1] in _PAGES


def _trusted_proxies(scope: Scope, entry: dict[str, Any]) -> Iterator[Directive]:
    networks = scope.own.get("set_real_ip_from", [])
    header, recursive = scope.own.get("real_ip_header", []), scope.own.get("real_ip_recursive", [])
    waits = any("proxy_protocol" in one.args for one in scope.own.get("listen", []))
    usual = "proxy_protocol" if waits else "x-forwarded-for"
    is_usual = [one.args[0].lower() for one in header] == [usual]
    if not networks or not is_usual or [one.args for one in recursive] != [("on",)]:
        return
    values = _networks([one.args[0] for one in networks])
    if values:
        entry["trusted_proxies"] = values
        yield from (*networks, *header, *recursive)


def read_access(scope: Scope, inspector: Inspector) -> tuple[dict[str, Any], tuple[Directive, ...]]:
    """The `access` of a level itself, with its directives; ({}, ()) where no key says it."""
    own = scope.own
    rules = [one for one in scope.directives if one.name in ("allow", "deny")]
    basic, file = own.get("auth_basic", []), own.get("auth_basic_user_file", [])
    access: dict[str, Any] = {}
    if rules:
        [*allowed, last] = rules
        networks = _networks([one.args[0] for one in allowed])
        is_closed = (last.name, last.args) == ("deny", ("all",))
        if not networks or not is_closed or {one.name for one in allowed} != {"allow"}:
            return {}, ()
        access["allow"] = networks
    if basic and basic[0].args != ("off",):
        path = join(scope.tree.prefix, file[0].args[0]) if file else "$"
        if "$" in path or not has_file(inspector, path):
            return {}, ()
        access = {"basic": path, **access}
    satisfy = own.get("satisfy", [])
    if {"basic", "allow"} <= access.keys():
        access["satisfy"] = satisfy[-1].args[0] if satisfy else "all"
    return (access, (*rules, *basic, *file, *satisfy)) if access else ({}, ())


def _networks(written: Sequence[str]) -> list[str]:
    """The networks as the YAML has them; [] where one is none, or they are everybody."""
    try:
        found = list(dict.fromkeys(parse_network(one) for one in written))
    except InvalidValue:
        return []
    return [] if any(check_networks((), found, "", "")) else found
