"""What visitors will notice of a change: the same requests, asked before and after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reconcile.engine.model import BehaviourChange
from reconcile.nginx.routing.describe import cache_suffix, describe
from reconcile.nginx.routing.request import PathKinds, Request
from reconcile.nginx.routing.route import Route
from reconcile.nginx.routing.router import Router
from reconcile.nginx.running.worker_view import WithAssumedFiles


@dataclass(frozen=True)
class SampleRequest:
    """One URL, asked at each of `requests` (its addresses).

    `supposed` are files that are taken to be there, because the answer is of interest even
    while nobody has put one there.
    """

    label: str
    requests: tuple[Request, ...]
    assumed_files: frozenset[str] = frozenset()


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
    ways: dict[tuple[str, str], list[Request]] = {}
    same: set[tuple[str, str]] = set()
    for request in question.requests:
        was, will_be = (side.route(request, question.assumed_files) for side in (before, after))
        way = describe(was), describe(will_be)
        ways.setdefault(way, []).append(request)
        if _visible_response(was) == _visible_response(will_be):
            same.add(way)
    for (was_told, will_be_told), requests in ways.items():
        if (was_told, will_be_told) not in same:
            where = f" {_address_families(requests)}" if len(ways) > 1 else ""
            yield BehaviourChange(question.label + where, was_told, will_be_told)


def _visible_response(route: Route) -> str:
    """What of an answer a visitor sees: of a refusal neither its reason nor whose it is."""
    if route.server is None or route.answer.kind != "error":
        return describe(route)
    return f"{route.answer.status}{cache_suffix(route)}"


def _address_families(requests: Iterable[Request]) -> str:
    families = {"IPv6" if ":" in request.address.host else "IPv4" for request in requests}
    return f"over {' and '.join(sorted(families))}"
