"""A request as it reaches nginx, and what routing needs to know of the disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from reconcile.nginx.model.listen import Address

FileKind = Literal["file", "directory", "missing", "denied", "special", "unknown"]
"""What open(2) and fstat(2) say as the worker's user, symlinks followed.

`missing` is ENOENT, ENOTDIR and ENAMETOOLONG; `denied` is EACCES and ELOOP;
`special` is neither file nor directory; `unknown` could not be found out.
"""


class PathKinds(Protocol):
    """The disk as the nginx worker sees it."""

    def kind(self, path: str) -> FileKind:
        """What stands at `path`."""
        ...


class NoPathKinds:
    """A disk that nobody looked at: every answer that rests on it is unknown."""

    def kind(self, path: str) -> FileKind:  # noqa: ARG002
        return "unknown"


@dataclass(frozen=True)
class Request:
    """One request: `uri` as on the request line, `address` where the connection arrives.

    `host` is the Host header; "" where there is none. Header names are lower case.
    """

    uri: str
    host: str = ""
    address: Address = field(default=Address("127.0.0.1", 80))
    method: str = "GET"
    scheme: Literal["http", "https"] = "http"
    body_length: int = 0
    client: str = "127.0.0.1"
    headers: Mapping[str, str] = field(default_factory=dict)
