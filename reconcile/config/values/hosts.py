"""Host names and addresses: what nginx listens on, answers to, and passes requests to."""

from __future__ import annotations

import re
from typing import Annotated, Any

from reconcile.config.values.paths import UNSAFE_IN_UNITS, parse_absolute
from reconcile.config.values.written import UnfitError, Written, describe, quoted, text
from reconcile.dataclass import dataclass

# sun_path of a Unix socket's address holds 108 bytes with the NUL at its end.
LONGEST_SOCKET_BYTES = 107

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_LISTEN = re.compile(
    r"(?:(?P<address>\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.]{2,45}\]):)?"
    r"(?P<port>\d{1,5})(?P<ssl> ssl)?",
    re.ASCII,
)
_UPSTREAM = re.compile(
    r"http://(?P<host>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):(?P<port>\d{1,5})/?", re.ASCII
)


@dataclass(frozen=True)
class ListenOn:
    """A port on every address ("" as `address`) or on one; `ssl` where it was written."""

    address: str
    port: int
    ssl: bool = False


def parse_server_name(value: Any) -> str:
    """A host name in the form it has in a request: lower case, IDNA-encoded."""
    name = text(value, "a host name")
    if name == "_":
        return name
    _refuse_other_forms(name)
    wildcard, host = ("*.", name[2:]) if name.startswith("*.") else ("", name)
    encoded = (host if host.isascii() else _idna(host)).lower()
    if len(encoded) > 253 or not all(map(_LABEL.fullmatch, encoded.split("."))):
        raise UnfitError(f"{quoted(name)} is not a host name", "write example.com or *.example.com")
    if wildcard and "." not in encoded:
        raise UnfitError(f"{quoted(name)} would take a whole top-level domain")
    return wildcard + encoded


def _refuse_other_forms(name: str) -> None:
    if name.startswith("~"):
        raise UnfitError("regular expressions are not taken as server names", "list the names")
    if "://" in name or "/" in name:
        raise UnfitError(f"{quoted(name)} is more than a host name", "leave out scheme and path")
    if re.search(r":\d+$", name):
        raise UnfitError(f"{quoted(name)} holds a port", "name the port in `listen`")


def _idna(host: str) -> str:
    import idna

    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise UnfitError(f"{quoted(host)} is not a host name: {error}") from None


def parse_listen(value: Any) -> ListenOn:
    """`80`, `127.0.0.1:8080`, `[::1]:8080`; ` ssl` after it for another TLS port than 443."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise UnfitError(f"expected a port, got {describe(value)}", "write 80")
    found = _LISTEN.fullmatch(str(value))
    if not found:
        raise UnfitError(f"{describe(value)} is nothing to listen on", "write 80 or 127.0.0.1:8080")
    return ListenOn(_ip(found["address"] or ""), _port(found["port"]), bool(found["ssl"]))


def parse_upstream(value: Any) -> str:
    """What follows `http://` in proxy_pass: `unix:/run/x.sock` or `127.0.0.1:8000`."""
    written = text(value, "an upstream")
    if written.startswith("unix:"):
        return f"unix:{_socket(written.removeprefix('unix:'))}"
    if written.startswith("https://"):
        raise UnfitError("an https upstream is not supported", "write http://127.0.0.1:8000")
    found = _UPSTREAM.fullmatch(written)
    if not found:
        raise UnfitError(
            f"{quoted(written)} is not an upstream",
            "write unix:/run/gunicorn.sock or http://127.0.0.1:8000",
        )
    host = _ip(found["host"]) if found["host"].startswith("[") else parse_server_name(found["host"])
    return f"{host}:{_port(found['port'])}"


def _socket(written: str) -> str:
    path = parse_absolute(written)
    if any(character in UNSAFE_IN_UNITS + ":" for character in path):
        raise UnfitError(f"{quoted(path)} holds characters that are not safe in a socket's path")
    if len(path.encode()) > LONGEST_SOCKET_BYTES:
        raise UnfitError(f"the socket's path is longer than {LONGEST_SOCKET_BYTES} bytes")
    return path


def _ip(written: str) -> str:
    if not written:
        return ""
    from ipaddress import IPv4Address, IPv6Address

    try:
        if written.startswith("["):
            return f"[{IPv6Address(written[1:-1])}]"
        return str(IPv4Address(written))
    except ValueError:
        raise UnfitError(f"{quoted(written)} is not an address") from None


def _port(written: str) -> int:
    port = int(written)
    if not 1 <= port <= 65535 or written.startswith("0"):
        raise UnfitError(f"{quoted(written)} is not a port", "ports go from 1 to 65535")
    return port


ServerName = Annotated[
    str,
    Written(
        parse_server_name,
        {
            "type": "string",
            "pattern": r"""^[^\x00-\x20\x7f~/;{}$"'\\#:]+$""",
            "maxLength": 255,
            "examples": ["example.com", "www.example.com", "*.example.com"],
        },
    ),
]
ListenValue = Annotated[
    ListenOn,
    Written(
        parse_listen,
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 65535},
                {
                    "type": "string",
                    "pattern": r"^(?:(?:[0-9.]{7,15}|\[[0-9A-Fa-f:.]{2,45}\]):)?"
                    r"[1-9][0-9]{0,4}(?: ssl)?$",
                },
            ],
            "examples": [80, 443, "127.0.0.1:8080", "8443 ssl"],
        },
    ),
]
Upstream = Annotated[
    str,
    Written(
        parse_upstream,
        {
            "type": "string",
            "pattern": r"""^(?:unix:/[^\x00-\x20\x7f;{}$"'\\#%:]+"""
            r"|http://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[1-9][0-9]{0,4}/?)$",
            "examples": ["unix:/run/gunicorn.sock", "http://127.0.0.1:8000"],
        },
    ),
]
