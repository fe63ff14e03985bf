"""What visitors will notice of a change: the same requests, asked before and after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reconcile.engine.model import BehaviourChange, Glance
from reconcile.nginx.routing.describe import cache_suffix, describe, describe_briefly, is_by_default
from reconcile.nginx.routing.request import PathKinds, Request
from reconcile.nginx.routing.route import Answer, Route
from reconcile.nginx.routing.router import Router
from reconcile.nginx.running.worker_view import WithAssumedFiles

TOO_LARGE = 413


@dataclass(frozen=True)
class SampleRequest:
    """One URL of `server` (`http://example.com`), asked at each of `requests` (its addresses).

    `note` says what the URL does not; `short` stands for both where few words have to do.
    `supposed` are files that are taken to be there, because the answer is of interest even
    while nobody has put one there. `is_usual` where visitors send such a request.
    """

    server: str
    path: str
    requests: tuple[Request, ...]
    assumed_files: frozenset[str] = frozenset()
    note: str = ""
    short: str = ""
    is_usual: bool = True

    @property
    def label(self) -> str:
        return f"{self._method} {self.server}{self.path}{self.note}"

    def glance(self, before: Route, after: Route, over: str) -> Glance:
        """The way from one answer to the other as a visitor sees it."""
        was, will_be = describe_briefly(before), describe_briefly(after)
        if was == will_be:
            was, will_be = describe(before), describe(after)
        request = f"{self._method} {self.short or self.path}"
        usual = self.is_usual or _is_noticed(before.answer, after.answer)
        return Glance(self.server, request, was, will_be, over, is_by_default(before), usual)

    @property
    def _method(self) -> str:
        return self.requests[0].method


@dataclass(frozen=True)
class ServedState:
    """A configuration and the disk that it serves."""

    router: Router
    files: PathKinds

    def route(self, request: Request, supposed: frozenset[str]) -> Route:
        files = WithAssumedFiles(self.files, supposed) if supposed else self.files
        return self.router.route(request, files)


def response_changes(
    questions: Iterable[SampleRequest], before: ServedState, after: ServedState
) -> tuple[BehaviourChange, ...]:
    """Every question that is answered otherwise; of one URL's addresses those that differ."""
    return tuple(
        change for question in questions for change in _changes_of(question, before, after)
    )


def _changes_of(
    question: SampleRequest, before: ServedState, after: ServedState
) -> Iterator[BehaviourChange]:
    ways: dict[tuple[str, str], list[tuple[Route, Route]]] = {}
    for request in question.requests:
        routes = (
            before.route(request, question.assumed_files),
            after.route(request, question.assumed_files),
        )
        ways.setdefault((describe(routes[0]), describe(routes[1])), []).append(routes)
    for (was, will_be), routes_of_way in ways.items():
        if any(_visible_response(old) == _visible_response(new) for old, new in routes_of_way):
            continue
        over = _address_families(old.request for old, _ in routes_of_way) if len(ways) > 1 else ""
        label = f"{question.label} over {over}" if over else question.label
        glance = question.glance(*routes_of_way[0], over)
        yield BehaviourChange(label, was, will_be, glance)


def _is_noticed(before: Answer, after: Answer) -> bool:
    """Whether even an unusual request matters: it will fail, or is no longer too large."""
    if before.kind == "error":
        return before.status == TOO_LARGE and after.kind != "error"
    return after.kind == "error"


def _visible_response(route: Route) -> str:
    """What of an answer a visitor sees: of a refusal neither its reason nor whose it is."""
    if route.server is None or route.answer.kind != "error":
        return describe(route)
    return f"{route.answer.status}{cache_suffix(route)}"


def _address_families(requests: Iterable[Request]) -> str:
    families = {"IPv6" if ":" in request.address.host else "IPv4" for request in requests}
    return " and ".join(sorted(families))
