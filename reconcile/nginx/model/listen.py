"""The addresses that servers listen on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv6Address
from typing import NamedTuple

from reconcile.dataclass import dataclass
from reconcile.nginx.model.config_tree import ConfigTree, Directive, named
from reconcile.nginx.model.lexer import NginxSyntaxError

ANY_IPV4 = "0.0.0.0"  # noqa: S104 - the word for it; nothing is bound here
ANY_IPV6 = "::"
DEFAULT_PORT = "80"
HIGHEST_PORT = 65535

_PORTS = re.compile(r"\d+(-\d+)?", re.ASCII)


class Address(NamedTuple):
    """A socket that nginx binds: an IP without brackets, or `unix:/path` with port 0."""

    host: str
    port: int

    @property
    def is_wildcard(self) -> bool:
        """Whether this is `0.0.0.0` or `[::]`."""
        return self.host in (ANY_IPV4, ANY_IPV6)

    @property
    def local(self) -> Address:
        """The address at which this machine itself reaches it: loopback for a wildcard."""
        loopback = {ANY_IPV4: "127.0.0.1", ANY_IPV6: "::1"}
        return Address(loopback.get(self.host, self.host), self.port)

    def __str__(self) -> str:
        if self.host.startswith("unix:"):
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Listen:
    """One `listen` of one server; `place` is None for nginx's implicit one.

    `ssl` and `proxy_protocol` as written here: of an address, the ServerTable knows whether any
    other listen of it sets them.
    """

    address: Address
    default_server: bool = False
    ssl: bool = False
    ipv6only: bool = True
    proxy_protocol: bool = False
    place: str | None = None

    @classmethod
    def implied(cls, *, privileged: bool = True) -> Listen:
        """The implicit listen of a server: port 80, or 8000 where nginx does not run as root."""
        return cls(Address(ANY_IPV4, 80 if privileged else 8000))

    @classmethod
    def parse(cls, directive: Directive) -> tuple[Listen, ...]:
        """Parse a `listen` directive: one address, or one per port of a range.

        Errors: NginxSyntaxError where nginx would refuse it.
        """
        if not directive.args:
            message = 'invalid number of arguments in "listen" directive'
            raise NginxSyntaxError(message, directive.file, directive.line)
        written, parameters = directive.args[0], directive.args[1:]
        return tuple(
            cls(
                address,
                default_server="default_server" in parameters or "default" in parameters,
                ssl="ssl" in parameters,
                ipv6only="ipv6only=off" not in parameters,
                proxy_protocol="proxy_protocol" in parameters,
                place=directive.place,
            )
            for address in _addresses(directive, written)
        )


def _addresses(directive: Directive, written: str) -> tuple[Address, ...]:
    try:
        return parse_addresses(written)
    except ValueError:
        message = f'invalid port in "{written}" of the "listen" directive'
        raise NginxSyntaxError(message, directive.file, directive.line) from None


def parse_addresses(written: str) -> tuple[Address, ...]:
    """Read `80`, `8000-8010`, `*:80`, `host`, `host:80`, `[::]:80` or `unix:/path`.

    A host name is kept as written: nginx resolves it at start-up.
    Errors: ValueError for an invalid port.
    """
    if written[:5].lower() == "unix:":
        return (Address(written, 0),)
    host, port = _split(written)
    first, _, last = port.partition("-")
    numbers = range(int(first), int(last or first) + 1)
    if not numbers or numbers[0] < 1 or numbers[-1] > HIGHEST_PORT:
        raise ValueError(written)
    return tuple(Address(host, number) for number in numbers)


def _split(written: str) -> tuple[str, str]:
    if _PORTS.fullmatch(written):
        return ANY_IPV4, written
    if written.startswith("["):
        host, _, port = written[1:].partition("]")
        return _canonical(host), port.lstrip(":") or DEFAULT_PORT
    host, _, port = written.partition(":")
    return ANY_IPV4 if host == "*" else host, port or DEFAULT_PORT


def _canonical(host: str) -> str:
    try:
        return str(IPv6Address(host))
    except ValueError:
        return host


def listens_of(tree: ConfigTree) -> Iterator[Listen]:
    """Yield every listen of every server in an http block, in nginx's order."""
    for server in tree.servers:
        written = named(tree.children(server), "listen")
        yield from listens_in([*written])


def listens_in(written: Sequence[Directive]) -> tuple[Listen, ...]:
    """The addresses of one server by its `listen` directives; without any, the implied one.

    Those of QUIC are left out: HTTP/3 comes over UDP, and takes no connections.
    """
    if not written:
        return (Listen.implied(),)
    by_tcp = (one for one in written if "quic" not in one.args)
    return tuple(listen for one in by_tcp for listen in Listen.parse(one))
