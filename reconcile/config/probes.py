"""The probes sent to a running site, and the responses they expect."""

from __future__ import annotations

from dataclasses import field, replace
from typing import Literal

from reconcile.dataclass import dataclass

Scheme = Literal["http", "https"]
Server = Literal["nginx", "app"]

SERVER_ERRORS = frozenset(range(500, 600))
Refusals = tuple[tuple[int, str], ...]
"""Statuses by which the configuration refuses a request on purpose, each with its directive."""


@dataclass(frozen=True)
class Endpoint:
    """A site's address: requests go to each of `addresses`, with `host` as Host header and SNI."""

    scheme: Scheme
    host: str
    port: int
    addresses: tuple[str, ...]
    authorization: str = field(default="", repr=False)
    """How requests log in, where that is asked for; never recorded."""
    behind_proxy: tuple[str, ...] = ()
    """Those of `addresses` that wait for the PROXY protocol of a load balancer."""

    @property
    def tls(self) -> bool:
        """Whether requests are encrypted."""
        return self.scheme == "https"

    def url(self, path: str) -> str:
        """The URL that a visitor would type."""
        default_port = {"http": 80, "https": 443}[self.scheme]
        port = "" if self.port == default_port else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}{path}"


@dataclass(frozen=True)
class Expectation:
    """The response that counts as healthy; an empty field is not checked.

    `status` lists the allowed codes, `not_status` the forbidden ones. Each of `headers` has to
    occur exactly once, with exactly that value. `body` has to occur in the body. A response
    that is one of `refusals` proves nothing: the check is skipped.
    """

    status: frozenset[int] = frozenset()
    not_status: frozenset[int] = frozenset()
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    served_by: Server | None = None
    refusals: Refusals = ()


DOTFILE_RESPONSE = Expectation(status=frozenset({403, 404}))


@dataclass(frozen=True)
class HttpProbe:
    """GET `path` once from each address; a redirect is a response, it is not followed.

    `minimum` is what an apply accepts where the site responded no better before it. One that
    `logs_in` is skipped where there is no login.
    """

    name: str
    site: str
    endpoint: Endpoint
    path: str
    expect: Expectation = field(default_factory=Expectation)
    minimum: Expectation | None = None
    logs_in: bool = False

    @property
    def relaxed(self) -> HttpProbe:
        """The same probe, expecting no more than the minimum."""
        return replace(self, expect=self.minimum or self.expect)


@dataclass(frozen=True)
class UploadDirectoryProbe:
    """Write a file to `dir` as `writer`, request it below `prefix`, remove it.

    Proves that visitors get what the app saves. The same content under a name that begins with
    a dot is not served, but answered as `hidden`. A `writer` of None is the current user.
    `mode` is that of an upload: a mode that keeps nginx from reading makes the probe fail.
    """

    name: str
    site: str
    endpoint: Endpoint
    prefix: str
    dir: str
    writer: str | None
    expect: Expectation = field(default_factory=Expectation)
    mode: int = 0o644
    hidden: Expectation = DOTFILE_RESPONSE


@dataclass(frozen=True)
class UploadProbe:
    """POST a file to `path` as form field `field`, then GET `then_get` and compare.

    In `then_get` each `{key}` stands for that key of the app's JSON response; `{filename}` is
    the name that was sent, if the response has no such key. `dir` and `prefix` are those of the
    media location that serves `then_get`, for removing the file; None where there is none.
    """

    name: str
    site: str
    endpoint: Endpoint
    path: str
    field: str
    then_get: str
    dir: str | None = None
    prefix: str | None = None
    refusals: Refusals = ()


@dataclass(frozen=True)
class FilesProbe:
    """Request files of `dir` below `prefix`, and compare what is sent with what lies there.

    Without `changed` that is a sample; with it, these files, relative to `dir`. What lies below
    one of `others`, prefixes of further locations, is served from elsewhere. Where the site
    `is_adopted`, its own file may serve things in its own way: what differs is a warning.
    Of `uploads`, those that nginx cannot read are left out: their modes may be accepted.
    """

    name: str
    site: str
    endpoint: Endpoint
    prefix: str
    dir: str
    others: tuple[str, ...] = ()
    refusals: Refusals = ()
    changed: tuple[str, ...] | None = None
    is_adopted: bool = False
    uploads: bool = False
    compresses: bool = False
    """Whether text is compressed on the fly, with a Vary header."""


@dataclass(frozen=True)
class WebSocketProbe:
    """Ask for a WebSocket at `path`: the app answers 101, where it has one there."""

    name: str
    site: str
    endpoint: Endpoint
    path: str
    refusals: Refusals = ()


@dataclass(frozen=True)
class RateLimitProbe:
    """Ask for `path` until the answer is 429: at most `burst` times more than one, and `rate`.

    From an address of its own, so that no other client's limit is used up.
    Units: `rate_s` is requests per second.
    """

    name: str
    site: str
    endpoint: Endpoint
    path: str
    rate_s: float
    burst: int
    refusals: Refusals = ()


@dataclass(frozen=True)
class AlpnProbe:
    """Offer `protocol` and HTTP/1.1 in a TLS handshake: the server has to choose `protocol`."""

    name: str
    site: str
    endpoint: Endpoint
    protocol: str = "h2"


@dataclass(frozen=True)
class CrawlProbe:
    """GET `path`, then what that page makes browsers load from this host's nginx.

    `depth` is how many stylesheets deep imports are followed. `is_default` where the file does
    not declare it: what is wrong is a warning then.
    """

    name: str
    site: str
    endpoint: Endpoint
    path: str
    depth: int = 1
    is_default: bool = False
    refusals: Refusals = ()


@dataclass(frozen=True)
class CertificateProbe:
    """Ask for the certificate of each of `names`, and whether browsers accept it.

    `certificate` is the file that nginx should have loaded.
    """

    name: str
    site: str
    endpoint: Endpoint
    names: tuple[str, ...]
    certificate: str


Probe = (
    HttpProbe
    | UploadDirectoryProbe
    | UploadProbe
    | FilesProbe
    | CrawlProbe
    | CertificateProbe
    | AlpnProbe
    | WebSocketProbe
    | RateLimitProbe
)
