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


class ExplainedPath(Document):
    """A path that try_files or index asked for, and what nginx finds there."""

    path: str
    kind: str = Field(description="file, unreadable, directory, unlistable, missing, denied, …")


class ExplainedPassedHeader(Document):
    """A header or parameter that nginx sets for the upstream."""

    name: str
    value: str | None = Field(description='null where only nginx knows it; "" is not sent')
    origin: str = Field(description="The directive's file:line, or nginx's default")


class ExplainedUpstream(Document):
    """What the upstream receives."""

    target: str
    uri: str | None = Field(description="null where it depends on what only nginx knows")
    why: str
    headers: list[ExplainedPassedHeader]


class ExplainedNearName(Document):
    """A name that is similar to the missing one."""

    path: str
    differs: str


class ExplainedUnreachable(Document):
    """A location or directive of the server that no request can reach."""

    what: str
    place: str
    why: str


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
    tried: list[ExplainedPath]
    upstream: ExplainedUpstream | None
    near: list[ExplainedNearName]
    hidden_by: str | None = Field(description="The unit whose sandbox hides the missing file")
    if_admitted: str | None = Field(
        description="The answer for a client with a PROXY header or a certificate, if it differs"
    )
    unreachable: list[ExplainedUnreachable]
    elsewhere: list[ExplainedAddress]
    live: ExplainedLive | None
    exit_code: int
