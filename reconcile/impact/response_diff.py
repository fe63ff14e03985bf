"""What visitors will notice of a change: the same requests, asked before and after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reconcile.engine.model import BehaviourChange
from reconcile.nginx.routing.describe import cache_suffix, describe
from reconcile.nginx.routing.request import Files, Request
from reconcile.nginx.routing.route import Route
from reconcile.nginx.routing.router import Router
from reconcile.nginx.running.worker_view import Assumed


@dataclass(frozen=True)
class Question:
    """One URL, asked at each of `requests` (its addresses).

    `supposed` are files that are taken to be there, because the answer is of interest even
    while nobody has put one there.
    """

    told: str
    requests: tuple[Request, ...]
    supposed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Side:
    """A configuration and the disk that it serves."""

    router: Router
    files: Files

    def route(self, request: Request, supposed: frozenset[str]) -> Route:
        files = Assumed(self.files, supposed) if supposed else self.files
        return self.router.route(request, files)


def behaviour_changes(
    questions: Iterable[Question], before: Side, after: Side
) -> tuple[BehaviourChange, ...]:
    """Every question that is answered otherwise; of one URL's addresses those that differ."""
    return tuple(change for question in questions for change in _of(question, before, after))


def _of(question: Question, before: Side, after: Side) -> Iterator[BehaviourChange]:
    ways: dict[tuple[str, str], list[Request]] = {}
    same: set[tuple[str, str]] = set()
    for request in question.requests:
        was, will_be = (side.route(request, question.supposed) for side in (before, after))
        way = describe(was), describe(will_be)
        ways.setdefault(way, []).append(request)
        if _seen(was) == _seen(will_be):
            same.add(way)
    for (was_told, will_be_told), requests in ways.items():
        if (was_told, will_be_told) not in same:
            where = f" {_over(requests)}" if len(ways) > 1 else ""
            yield BehaviourChange(question.told + where, was_told, will_be_told)


def _seen(route: Route) -> str:
    """What of an answer a visitor sees: of a refusal neither its reason nor whose it is."""
    if route.server is None or route.answer.kind != "error":
        return describe(route)
    return f"{route.answer.status}{cache_suffix(route)}"


def _over(requests: Iterable[Request]) -> str:
    families = {"IPv6" if ":" in request.address.host else "IPv4" for request in requests}
    return f"over {' and '.join(sorted(families))}"
