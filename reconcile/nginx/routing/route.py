"""The result of routing: the path of a request through the configuration, and its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from reconcile.nginx.model.listen import Listen
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.routing.request import FileKind, Request
from reconcile.nginx.routing.servers import Server
from reconcile.nginx.routing.upstream_request import PassedUri

AnswerKind = Literal["file", "listing", "pass", "handler", "return", "redirect", "error", "unknown"]


@dataclass(frozen=True)
class Answer:
    """What nginx does with a request.

    `file` and `listing` have a `path`; an `error` has the path that was tried, if
    any. `target` is the upstream of a `pass`, and the Location of a `redirect`
    before it is made absolute. `status` is None where the upstream decides it;
    `unknown` explains itself in `reason`.
    """

    kind: AnswerKind
    status: int | None
    path: str | None = None
    target: str | None = None
    body: str | None = None
    reason: str = ""


CLOSED = 444
"""Nginx's own number for a connection that it closes without an answer."""


def closed(reason: str) -> Answer:
    """The answer of a connection that is closed before any request is answered."""
    return Answer("error", CLOSED, reason=reason)


@dataclass(frozen=True)
class Tried:
    """A path that try_files or index asked for, and what is there."""

    path: str
    kind: FileKind


@dataclass(frozen=True)
class Hop:
    """One location match: the path, the location and the reason."""

    path: str
    scope: Scope
    why: str
    runners_up: tuple[Scope, ...] = ()

    @property
    def place(self) -> str:
        """The position of the location as `file:line`."""
        return self.scope.directive.place


@dataclass(frozen=True)
class Route:
    """One request from its connection to its answer.

    `hops` has one entry per internal redirect; the last one answered. `scope` is
    the level whose headers and limits apply, `path` the last normalised path. `tried` are the
    paths that try_files and index asked for, `passed_uri` what an upstream is asked for.
    """

    request: Request
    answer: Answer
    server: Server | None = None
    listen: Listen | None = None
    server_why: str = ""
    hops: tuple[Hop, ...] = ()
    scope: Scope | None = None
    path: str = ""
    tried: tuple[Tried, ...] = ()
    passed_uri: PassedUri | None = None
    expand: Callable[[str], str | None] | None = field(default=None, compare=False, repr=False)

    def expanded(self, template: str) -> str | None:
        """A directive's text with this request's variables; None where one is not known."""
        if "$" not in template:
            return template
        return self.expand(template) if self.expand else None

    @property
    def location(self) -> Scope | None:
        """The location that answered; None where the server itself did."""
        found = self.hops[-1].scope if self.hops else None
        return found if found and found.directive.name == "location" else None
