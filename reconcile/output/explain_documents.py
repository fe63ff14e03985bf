"""The JSON of `reconcile explain`, as typed models."""

from __future__ import annotations

from pydantic import Field

from reconcile.output.documents import Document, Head


class ExplainedAnswer(Document):
    kind: str = Field(description="file, listing, pass, redirect, return, error, unknown, …")
    status: int | None = Field(description="null where the app decides")
    told: str
    file: str | None
    target: str | None
    reason: str


class ExplainedRival(Document):
    """What might have answered, and why it does not."""

    what: str
    place: str
    why: str


class ExplainedServer(Document):
    names: list[str]
    place: str
    why: str
    others: list[ExplainedRival]


class ExplainedLocation(Document):
    """One choice of a location; the last one answered."""

    path: str
    location: str
    place: str
    why: str
    others: list[ExplainedRival]


class ExplainedDirective(Document):
    directive: str
    place: str


class ExplainedComponent(Document):
    """`allowed`: the worker may pass it, or read the file."""

    path: str
    kind: str
    owner: str
    group: str
    mode: str
    acl: list[str]
    allowed: bool


class ExplainedHeader(Document):
    name: str
    value: str | None = Field(description="null where the request or the moment decides")
    place: str


class ExplainedElsewhere(Document):
    address: str
    told: str


class LiveHeader(Document):
    name: str
    value: str


class ExplainedLive(Document):
    """The real answer; `differs` names what was foretold otherwise."""

    status: int | None
    error: str | None
    headers: list[LiveHeader]
    differs: list[str]
    agrees: bool


class ExplainDocument(Head):
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
    elsewhere: list[ExplainedElsewhere]
    live: ExplainedLive | None
    exit_code: int
