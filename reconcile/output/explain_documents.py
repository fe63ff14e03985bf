"""The JSON of `reconcile explain`, as typed models."""

from __future__ import annotations

from pydantic import Field

from reconcile.output.documents import Document, Envelope


class ExplainedAnswer(Document):
    """The predicted answer, also in one sentence."""

    kind: str = Field(description="file, listing, pass, redirect, return, error, unknown, …")
    status: int | None = Field(description="null where the app decides")
    description: str = Field(serialization_alias="told", description="The answer in one sentence")
    file: str | None
    target: str | None
    reason: str


class ExplainedCandidate(Document):
    """A server or location that did not match, and why."""

    what: str
    place: str
    why: str


class ExplainedServer(Document):
    """The server that answers, and why it does."""

    names: list[str]
    place: str
    why: str
    others: list[ExplainedCandidate]


class ExplainedLocation(Document):
    """One choice of a location; the last one answers."""

    path: str
    location: str
    place: str
    why: str
    others: list[ExplainedCandidate]


class ExplainedDirective(Document):
    """The directive that maps the URL to a file."""

    directive: str
    place: str


class ExplainedComponent(Document):
    """A part of the file's path; `allowed` where the worker may enter or read it."""

    path: str
    kind: str
    owner: str
    group: str
    mode: str
    acl: list[str]
    allowed: bool


class ExplainedHeader(Document):
    """A response header that nginx adds."""

    name: str
    value: str | None = Field(description="null where it depends on the request or the time")
    place: str


class ExplainedAddress(Document):
    """A local address at which the same request is answered differently."""

    address: str
    answer: str = Field(serialization_alias="told")


class LiveHeader(Document):
    """A header of the real response."""

    name: str
    value: str


class ExplainedLive(Document):
    """The real response; `differs` names what was predicted differently."""

    status: int | None
    error: str | None
    headers: list[LiveHeader]
    differs: list[str]
    agrees: bool


class ExplainDocument(Envelope):
    """`reconcile explain URL --json`."""

    url: str
    address: str
    answer: ExplainedAnswer
    server: ExplainedServer | None
    locations: list[ExplainedLocation]
    mapped_by: ExplainedDirective | None
    worker: str
    path: list[ExplainedComponent]
    blocked_at: str | None
    fix: str
    headers: list[ExplainedHeader]
    elsewhere: list[ExplainedAddress]
    live: ExplainedLive | None
    exit_code: int
