"""A request as nginx receives it, and the file lookups that routing needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from reconcile.nginx.model.listen import Address

FileKind = Literal["file", "directory", "missing", "denied", "special", "unknown"]
"""What open(2) and fstat(2) return for the worker's user, symlinks followed.

`missing` is ENOENT, ENOTDIR and ENAMETOOLONG; `denied` is EACCES and ELOOP;
`special` is neither file nor directory; `unknown` could not be determined.
"""


class PathKinds(Protocol):
    """The disk as the nginx worker sees it."""

    def kind(self, path: str) -> FileKind:
        """The kind of file at `path`."""
        ...


class NoPathKinds:
    """No file lookups: every answer that depends on a file is unknown."""

    def kind(self, path: str) -> FileKind:  # noqa: ARG002
        """Always `unknown`."""
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
