"""Host names, addresses and ports."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Annotated, Any

from reconcile.config.fields.field_type import FieldType, InvalidValue, quote_text, require_str
from reconcile.config.fields.path_types import UNSAFE_IN_UNITS, parse_absolute

HOST_IN_URL = r"(?:[A-Za-z0-9.-]|[^\x00-\x7f]){1,253}"
"""The host of a URL as people write it; `parse_server_name` decides."""
MAX_SOCKET_BYTES = 107
"""sun_path of a Unix socket's address holds 108 bytes, with the NUL at its end."""

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_UPSTREAM = re.compile(
    r"http://(?P<host>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):(?P<port>\d{1,5})/?", re.ASCII
)


def parse_server_name(value: Any) -> str:
    """A host name in the form it has in a request: lower case, IDNA-encoded."""
    name = require_str(value, "a host name")
    if name == "_":
        return name
    _refuse_other_forms(name)
    wildcard, host = ("*.", name[2:]) if name.startswith("*.") else ("", name)
    encoded = (host if host.isascii() else _encode_idna(host)).lower()
    if len(encoded) > 253 or not all(map(_LABEL.fullmatch, encoded.split("."))):
        raise InvalidValue(
            f"{quote_text(name)} is not a host name", "use example.com or *.example.com"
        )
    if wildcard and "." not in encoded:
        raise InvalidValue(f"{quote_text(name)} would match a whole top-level domain")
    return wildcard + encoded


def _refuse_other_forms(name: str) -> None:
    if name.startswith("~"):
        raise InvalidValue("regular expressions are not supported here", "list the host names")
    if "://" in name or "/" in name:
        raise InvalidValue(f"{quote_text(name)} is a URL", "use the host name alone")
    if re.fullmatch(r"\[.*\]|[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:.]*", name):
        hint = "use a host name; with default_server requests by address reach the site"
        raise InvalidValue(f"{quote_text(name)} is an IPv6 address", hint)
    if name == "*":
        raise InvalidValue('"*" is not a host name', 'use "_" and default_server for every name')
    if name.startswith(".") and name.strip("."):
        plain = name.strip(".")
        hint = f'use {quote_text(plain)} and "*.{plain}"'
        raise InvalidValue(f"{quote_text(name)} begins with a dot", hint)
    if name.endswith(".") and name.strip("."):
        raise InvalidValue(f"{quote_text(name)} ends with a dot", f"use {name.rstrip('.')}")
    if re.search(r":\d+$", name):
        raise InvalidValue(f"{quote_text(name)} contains a port", "set the port in `listen`")


def _encode_idna(host: str) -> str:
    # Costs 5 ms to import, and few names need it.
    import idna

    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise InvalidValue(f"{quote_text(host)} is not a host name: {error}") from None


def parse_upstream(value: Any) -> str:
    """What follows `http://` in proxy_pass: `unix:/run/x.sock` or `127.0.0.1:8000`."""
    text = require_str(value, "an upstream")
    if text.startswith("unix:"):
        return f"unix:{_parse_socket(text.removeprefix('unix:'))}"
    if text.startswith("https://"):
        raise InvalidValue("an https upstream is not supported", "use http://127.0.0.1:8000")
    found = _UPSTREAM.fullmatch(text)
    if not found:
        raise InvalidValue(
            f"{quote_text(text)} is not an upstream",
            "use unix:/run/gunicorn.sock or http://127.0.0.1:8000",
        )
    is_ip = found["host"].startswith("[")
    host = parse_ip(found["host"]) if is_ip else parse_server_name(found["host"])
    return f"{host}:{parse_port(found['port'])}"


def _parse_socket(text: str) -> str:
    path = parse_absolute(text)
    if any(character in UNSAFE_IN_UNITS + ":" for character in path):
        raise InvalidValue(f"{quote_text(path)} contains characters that are unsafe in a unit")
    if len(path.encode()) > MAX_SOCKET_BYTES:
        raise InvalidValue(f"the socket's path is longer than {MAX_SOCKET_BYTES} bytes")
    return path


def parse_ip(text: str) -> str:
    """An IP address in its canonical form, IPv6 in brackets; "" stays ""."""
    if not text:
        return ""
    try:
        return f"[{IPv6Address(text[1:-1])}]" if text.startswith("[") else str(IPv4Address(text))
    except ValueError:
        raise InvalidValue(f"{quote_text(text)} is not an IP address") from None


def parse_network(value: Any) -> str:
    """An address or a network in its canonical form: `203.0.113.7`, `10.0.0.0/8`, `2001:db8::/32`.

    Errors: InvalidValue also for a network with bits of a host, which is often a typing error.
    """
    text = require_str(value, "an address or a network")
    if "%" in text:
        hint = f"use {text.partition('%')[0]}"
        raise InvalidValue(f"{quote_text(text)} names an interface, which nginx cannot", hint)
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        hint = "use 203.0.113.7, 10.0.0.0/8 or 2001:db8::/32"
        raise InvalidValue(f"{quote_text(text)} is not an address or a network", hint) from None
    if "/" in text and ip_address(text.partition("/")[0]) != network.network_address:
        raise InvalidValue(f"{quote_text(text)} is an address in a network", f"use {network}")
    is_single = network.prefixlen == network.max_prefixlen
    return str(network.network_address if is_single else network)


def parse_port(text: str) -> int:
    """A TCP port."""
    port = int(text)
    if not 1 <= port <= 65535 or text.startswith("0"):
        raise InvalidValue(f"{quote_text(text)} is not a port", "use 1 to 65535")
    return port


ServerName = Annotated[
    str,
    FieldType(
        parse_server_name,
        {
            "type": "string",
            "pattern": r"""^[^\x00-\x20\x7f~/;{}$"'\\#:]+$""",
            "maxLength": 255,
            "examples": ["example.com", "www.example.com", "*.example.com"],
        },
    ),
]
Network = Annotated[
    str,
    FieldType(
        parse_network,
        {
            "type": "string",
            "pattern": r"^[0-9A-Fa-f:.]{2,45}(?:/[0-9]{1,3})?$",
            "examples": ["203.0.113.7", "10.0.0.0/8", "2001:db8::/32"],
        },
    ),
]
Upstream = Annotated[
    str,
    FieldType(
        parse_upstream,
        {
            "type": "string",
            "pattern": r"""^(?:unix:/[^\x00-\x20\x7f;{}$"'\\#%:]+"""
            r"|http://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[1-9][0-9]{0,4}/?)$",
            "examples": ["unix:/run/gunicorn.sock", "http://127.0.0.1:8000"],
        },
    ),
]
