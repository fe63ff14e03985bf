"""`map` and `geo` blocks: a variable whose value depends on that of a text with others.

Source: ngx_http_map_module; plain keys are compared without case, in order exact, wildcards, regex.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

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


@dataclass(frozen=True)
class AddressMap:
    """One `geo`: the value of the smallest network that an address is in."""

    source: str
    place: str
    default: str
    networks: Mapping[str, str]
    is_plain: bool = True

    def value_for(self, text: str, remember: Callable[[re.Match[str] | None], None]) -> str:  # noqa: ARG002
        """The value for an address. Errors: Indeterminate where the block is not plain."""
        try:
            address = ip_address(text)
            fitting = [key for key in self.networks if address in ip_network(key, strict=False)]
        except ValueError:
            raise Indeterminate(f"geo ({self.place}) cannot be evaluated") from None
        if not self.is_plain:
            raise Indeterminate(f"geo ({self.place}) cannot be evaluated")
        smallest = max(fitting, key=lambda key: ip_network(key, strict=False).prefixlen, default="")
        return self.networks.get(smallest, self.default)


AnyMap = VariableMap | AddressMap


def variable_maps(tree: ConfigTree) -> dict[str, AnyMap]:
    """The maps of the http block by the variable that they set, without its `$`."""
    blocks = [tuple(tree.children(http)) for http in named(tree.directives, "http")]
    maps: dict[str, AnyMap] = {
        directive.args[1].removeprefix("$"): _map(tree, directive)
        for block in blocks
        for directive in named(block, "map")
        if len(directive.args) == 2
    }
    geos = (directive for block in blocks for directive in named(block, "geo"))
    return maps | {one.args[-1].removeprefix("$"): _geo(tree, one) for one in geos if one.args}


def _geo(tree: ConfigTree, directive: Directive) -> AddressMap:
    """Source: ngx_http_geo_module; without an address of its own it asks for the client's."""
    lines = [(line.name, line.args) for line in tree.children(directive)]
    values = {name: to_raw(args[0]) for name, args in lines if args}
    return AddressMap(
        source=directive.args[0] if len(directive.args) == 2 else "$remote_addr",
        place=directive.place,
        default=values.pop("default", ""),
        networks=values,
        is_plain=not {"ranges", "delete", "proxy", "proxy_recursive", "include"}
        & {name for name, _ in lines},
    )


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
