"""The questions that are put to a running site, and what a good answer is."""

from __future__ import annotations

from dataclasses import field, replace
from typing import Literal

from reconcile.dataclass import dataclass

Scheme = Literal["http", "https"]
Server = Literal["nginx", "app"]


@dataclass(frozen=True)
class Endpoint:
    """Where a site answers: each of `addresses` is asked with `host` as Host and SNI."""

    scheme: Scheme
    host: str
    port: int
    addresses: tuple[str, ...]

    @property
    def tls(self) -> bool:
        return self.scheme == "https"

    def url(self, path: str) -> str:
        """The URL that a visitor would type."""
        usual = {"http": 80, "https": 443}[self.scheme]
        port = "" if self.port == usual else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}{path}"


@dataclass(frozen=True)
class Expectation:
    """What a good answer is; a field left empty is not looked at.

    `status` lists every good status, `not_status` every bad one. Each header of `headers`
    has to come exactly once, with exactly that value. `body` has to occur in the body.
    """

    status: frozenset[int] = frozenset()
    not_status: frozenset[int] = frozenset()
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    served_by: Server | None = None


@dataclass(frozen=True)
class HttpProbe:
    """GET `path` once an address; a redirect is an answer, not a step.

    `bearable` is what an apply puts up with where it was no better before.
    """

    name: str
    site: str
    endpoint: Endpoint
    path: str
    expect: Expectation = field(default_factory=Expectation)
    bearable: Expectation | None = None

    @property
    def borne(self) -> HttpProbe:
        """The same question, asking for no more than what is bearable."""
        return replace(self, expect=self.bearable or self.expect)


@dataclass(frozen=True)
class MediaCanary:
    """Write a file below `dir` as `writer`, get it back below `prefix`, remove it.

    Proves that what the app saves is what visitors load. The same content under a name that
    begins with a dot has to be 404. `writer` None is whoever runs us. `mode` is what an upload
    gets: where its group does not let nginx read it, the canary shows that too.
    """

    name: str
    site: str
    endpoint: Endpoint
    prefix: str
    dir: str
    writer: str | None
    expect: Expectation = field(default_factory=Expectation)
    mode: int = 0o644


@dataclass(frozen=True)
class UploadProbe:
    """POST a canary to `path` as form field `field`, then get `then_get` and compare.

    In `then_get` each `{key}` stands for that key of the app's JSON answer, and `{filename}`,
    where the answer has no such key, for the name that was sent. `dir` and `prefix` tell where
    the canary lands, for its removal; None where no media location serves `then_get`.
    """

    name: str
    site: str
    endpoint: Endpoint
    path: str
    field: str
    then_get: str
    dir: str | None = None
    prefix: str | None = None


Probe = HttpProbe | MediaCanary | UploadProbe
