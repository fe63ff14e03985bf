"""What visitors will notice of a change: the same requests, asked before and after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reconcile.engine.model import BehaviourChange
from reconcile.nginx.routing.headers import sent_headers, values_of
from reconcile.nginx.routing.request import Files, Request
from reconcile.nginx.routing.route import Answer, Route
from reconcile.nginx.routing.router import Router
from reconcile.nginx.running.disk import Assumed

_BY_THE_CLOCK = "(depends on the moment)"


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
        way = told(was), told(will_be)
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
        return told(route)
    return f"{route.answer.status}{_cached(route)}"


def _over(requests: Iterable[Request]) -> str:
    families = {"IPv6" if ":" in request.address.host else "IPv4" for request in requests}
    return f"over {' and '.join(sorted(families))}"


def told(route: Route) -> str:
    """An answer in one line: what, with which Cache-Control lines, and from whom."""
    if route.server is None:
        listens = not route.answer.reason.startswith("no server listens")
        return _what(route.answer) if listens else "nobody: nothing listens there"
    return _what(route.answer) + _cached(route) + _whose(route)


def _cached(route: Route) -> str:
    return "".join(f", Cache-Control: {value}" for value in _cache_control(route))


def _cache_control(route: Route) -> list[str]:
    values = values_of(sent_headers(route), "Cache-Control")
    return [_BY_THE_CLOCK if value is None else value for value in values]


def _what(answer: Answer) -> str:
    match answer.kind:
        case "file":
            status = "" if answer.status == 200 else f"{answer.status} with "
            return f"{status}file {answer.path}"
        case "listing":
            return f"a listing of {answer.path}"
        case "pass":
            return f"passed on to {answer.target}"
        case "redirect":
            return f"{answer.status} to {answer.target}"
        case "return" | "handler":
            return f"{answer.status or 200} from nginx itself"
        case "unknown":
            return f"not to be told: {answer.reason}"
        case "error":
            return _refusal(answer)


def _refusal(answer: Answer) -> str:
    if answer.status == 444:
        return "a connection that is closed without an answer"
    if answer.path and answer.reason in ("missing", "denied"):
        why = "is not there" if answer.reason == "missing" else "is closed to nginx's workers"
        return f"{answer.status} ({answer.path} {why})"
    says_more = answer.reason not in ("", "return") and answer.status != 413
    return f"{answer.status} ({answer.reason})" if says_more else str(answer.status)


def _whose(route: Route) -> str:
    """Said only where no name led there: the site is then not the one that was asked for."""
    if route.server is None or route.server_why.startswith("server_name"):
        return ""
    return f", from the default server at {route.server.place}"
