"""`map` blocks: a variable whose value depends on that of a text with others.

Source: ngx_http_map_module; plain keys are compared without case, in order exact, wildcards, regex.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from reconcile.nginx.model.config_tree import ConfigTree, Directive, named
from reconcile.nginx.model.latin1 import to_raw
from reconcile.nginx.routing import pcre
from reconcile.nginx.routing.indeterminate import Indeterminate

_SPECIAL = ("default", "hostnames", "volatile", "include")


@dataclass(frozen=True)
class VariableMap:
    """One `map`: `source` may contain variables, and so may each value."""

    source: str
    place: str
    has_hostnames: bool
    default: str
    plain: Mapping[str, str]
    regexes: tuple[tuple[str, str], ...] = field(default=())

    def value_for(self, text: str, remember: Callable[[re.Match[str] | None], None]) -> str:
        """The value for a text, its variables still in it; a matching regex is remembered.

        Errors: Indeterminate where a regex cannot be evaluated.
        """
        key = text.lower()
        if key in self.plain:
            return self.plain[key]
        for wildcard in _wildcards(key.removesuffix(".")) if self.has_hostnames else ():
            if wildcard in self.plain:
                return self.plain[wildcard]
        for written, value in self.regexes:
            if match := self._search(written, text):
                remember(match)
                return value
        return self.default

    def _search(self, written: str, text: str) -> re.Match[str] | None:
        caseless = written.startswith("*")
        pattern = pcre.compiled(to_raw(written.removeprefix("*")), caseless=caseless)
        if pattern is None:
            raise Indeterminate(f"the regex ~{written} of map ({self.place}) cannot be evaluated")
        return pattern.search(text)


def variable_maps(tree: ConfigTree) -> dict[str, VariableMap]:
    """The maps of the http block by the variable that they set, without its `$`."""
    return {
        directive.args[1].removeprefix("$"): _map(tree, directive)
        for http in named(tree.directives, "http")
        for directive in named(tree.children(http), "map")
        if len(directive.args) == 2
    }


def _map(tree: ConfigTree, directive: Directive) -> VariableMap:
    lines = [(line.name, line.args) for line in tree.children(directive)]
    pairs = [(name, to_raw(args[0])) for name, args in lines if args]
    keys = [(name, value) for name, value in pairs if name not in _SPECIAL]
    return VariableMap(
        source=directive.args[0],
        place=directive.place,
        has_hostnames=any(name == "hostnames" for name, _ in lines),
        default=next((value for name, value in pairs if name == "default"), ""),
        plain={
            to_raw(name.removeprefix("\\")).lower(): value
            for name, value in keys
            if not name.startswith("~")
        },
        regexes=tuple((name[1:], value) for name, value in keys if name.startswith("~")),
    )


def _wildcards(host: str) -> Iterator[str]:
    """The keys that cover a host name, in nginx's order."""
    dots = [index for index, char in enumerate(host) if char == "."]
    yield f".{host}"
    for at in dots:
        yield f"*{host[at:]}"
        yield host[at:]
    for at in reversed(dots):
        yield f"{host[: at + 1]}*"
