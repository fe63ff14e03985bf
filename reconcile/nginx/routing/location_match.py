"""Location matching: which location of a server takes a URI, and why.

Source: nginx's own search (1.22), measured against its answers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from reconcile.nginx.model.scope import Scope
from reconcile.nginx.routing import pcre
from reconcile.nginx.routing.indeterminate import Indeterminate


@dataclass(frozen=True)
class LocationMatch:
    """The location (or server) that takes a URI, and the runners-up.

    `match` is the winning regex match; `redirect` is True where nginx redirects
    the name without its slash to the location.
    """

    scope: Scope
    why: str
    runners_up: tuple[Scope, ...] = ()
    match: re.Match[str] | None = None
    redirect: bool = False
    is_final: bool = False


class LocationTable:
    """The locations of one level, ready to be searched."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.exact: dict[str, Scope] = {}
        self.prefixes: dict[str, Scope] = {}
        self.named: dict[str, Scope] = {}
        self.regexes: list[Scope] = []
        for location in scope.locations:
            self._add(location)
        self._lengths = sorted({len(name) for name in self.prefixes}, reverse=True)
        self._inner: dict[int, LocationTable] = {}

    def _add(self, location: Scope) -> None:
        if location.is_regex:
            self.regexes.append(location)
        elif location.modifier == "=":
            self.exact[location.name] = location
        elif location.modifier == "@":
            self.named[location.name] = location
        else:
            self.prefixes[location.name] = location

    def find(self, path: str) -> LocationMatch:
        """The location that answers `path`; `path` is normalised, one character a byte.

        Errors: Indeterminate where a regex that may decide cannot be evaluated.
        """
        choice = self._find_static(path)
        if choice.is_final:
            return choice
        stops_regexes = choice.scope is not self.scope and choice.scope.modifier == "^~"
        if choice.scope is not self.scope:
            inner = self._table(choice.scope).find(path)
            if inner.is_final:
                return inner
            if inner.scope is not choice.scope:
                choice = inner
        if stops_regexes:
            return LocationMatch(choice.scope, "longest prefix; ^~ skips regexes")
        return self._find_regex(path, choice) or choice

    def _find_static(self, path: str) -> LocationMatch:
        if path in self.exact:
            return LocationMatch(self.exact[path], "exact match", is_final=True)
        if path not in self.prefixes:
            slashed = [t[path + "/"] for t in (self.exact, self.prefixes) if path + "/" in t]
            if any(location.redirects_bare for location in slashed):
                why = "nginx redirects the name without a slash to a location that proxies"
                return LocationMatch(slashed[0], why, redirect=True, is_final=True)
        for length in self._lengths:
            if length <= len(path) and path[:length] in self.prefixes:
                return LocationMatch(
                    self.prefixes[path[:length]], "longest prefix; no regex matches"
                )
        return LocationMatch(self.scope, "no location matches")

    def _find_regex(self, path: str, static: LocationMatch) -> LocationMatch | None:
        for location in self.regexes:
            pattern = pcre.compiled(location.name, caseless=location.modifier == "~*")
            if pattern is None:
                raise Indeterminate(
                    f"the regex of {location} ({location.directive.place}) cannot be evaluated"
                )
            match = pattern.search(path)
            if match:
                return self._regex_match(location, match, static, path)
        return None

    def _regex_match(
        self, location: Scope, match: re.Match[str], static: LocationMatch, path: str
    ) -> LocationMatch:
        why = "first matching regex"
        beaten = () if static.scope is self.scope else (static.scope,)
        if beaten:
            why += ", which takes precedence over the longest prefix"
        inner = self._table(location).find(path)
        if inner.scope is not location:
            return LocationMatch(
                inner.scope, inner.why, inner.runners_up, inner.match or match, is_final=True
            )
        return LocationMatch(location, why, beaten, match, is_final=True)

    def _table(self, scope: Scope) -> LocationTable:
        key = id(scope)
        if key not in self._inner:
            self._inner[key] = LocationTable(scope)
        return self._inner[key]
