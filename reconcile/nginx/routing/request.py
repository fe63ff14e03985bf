"""A request as nginx receives it, and the file lookups that routing needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from reconcile.nginx.model.listen import Address

FileKind = Literal[
    "file", "unreadable", "directory", "unlistable", "special", "missing", "denied", "unknown"
]
"""What stat(2) and open(2) return for the worker, symlinks followed.

`unreadable` is a file, `unlistable` a directory, that exists but that open(2) refuses;
`special` is neither file nor directory. `missing` is ENOENT, ENOTDIR and ENAMETOOLONG; `denied`
is EACCES and ELOOP on the way there; `unknown` could not be determined.
"""

FOLDERS: tuple[FileKind, ...] = ("directory", "unlistable")

LinkRule = Literal["on", "if_not_owner"]
"""`disable_symlinks`: no symlink, or none whose owner is not that of its target."""

LinkRefusal = Literal["missing", "denied"]
"""How a forbidden symlink is reported: as ENOTDIR within the path, else as ELOOP."""


class PathKinds(Protocol):
    """The disk as the nginx worker sees it."""

    def kind(self, path: str) -> FileKind:
        """The kind of file at `path`."""
        ...

    def link_refusal(self, path: str, rule: LinkRule, start: int) -> LinkRefusal | None:
        """How `rule` refuses a symlink behind the first `start` characters; None without one."""
        ...


class NoPathKinds:
    """No file lookups: every answer that depends on a file is unknown."""

    def kind(self, path: str) -> FileKind:  # noqa: ARG002
        """Always `unknown`."""
        return "unknown"

    def link_refusal(self, path: str, rule: LinkRule, start: int) -> None:
        """None: no link is known."""


@dataclass(frozen=True)
class Request:
    """One request: `uri` as on the request line, `address` where the connection arrives.

    `host` is the Host header; "" where there is none. Header names are lower case.
    `is_stranger`: the client has no certificate and sends no PROXY header, as a browser that
    connects directly; otherwise it has what the server asks for. `is_logged_in`: it sends a
    password that the server takes.
    """

    uri: str
    host: str = ""
    address: Address = field(default=Address("127.0.0.1", 80))
    method: str = "GET"
    scheme: Literal["http", "https"] = "http"
    body_length: int = 0
    client: str = "127.0.0.1"
    headers: Mapping[str, str] = field(default_factory=dict)
    is_stranger: bool = False
    is_logged_in: bool = False
