"""What visitors will notice of a plan: the same requests, answered before and after it."""

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
    """A URL of `server` (`http://example.com`), requested at each of its addresses.

    `note` follows the URL in full output; `short` replaces path and note in short output.
    `assumed_files` are treated as existing, because the answer matters even before someone
    uploads them. `is_usual` where visitors send such a request.
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
        """The request in full."""
        return f"{self._method} {self.server}{self.path}{self.note}"

    def glance(self, before: Route, after: Route, over: str) -> Glance:
        """Summarize the change of the answer as a visitor sees it."""
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
    """A configuration and the files that it serves."""

    router: Router
    files: PathKinds

    def route(self, request: Request, assumed_files: frozenset[str]) -> Route:
        """Route `request` as if `assumed_files` existed."""
        files = WithAssumedFiles(self.files, assumed_files) if assumed_files else self.files
        return self.router.route(request, files)


def response_changes(
    samples: Iterable[SampleRequest], before: ServedState, after: ServedState
) -> tuple[BehaviourChange, ...]:
    """Every question that is answered otherwise; of one URL's addresses those that differ."""
    return tuple(change for question in samples for change in _changes_of(question, before, after))


def _changes_of(
    sample: SampleRequest, before: ServedState, after: ServedState
) -> Iterator[BehaviourChange]:
    pairs: dict[tuple[str, str], list[tuple[Route, Route]]] = {}
    for request in sample.requests:
        routes = (
            before.route(request, sample.assumed_files),
            after.route(request, sample.assumed_files),
        )
        pairs.setdefault((describe(routes[0]), describe(routes[1])), []).append(routes)
    for (was, will_be), routes_of_pair in pairs.items():
        if any(_visible_response(old) == _visible_response(new) for old, new in routes_of_pair):
            continue
        over = _address_families(old.request for old, _ in routes_of_pair) if len(pairs) > 1 else ""
        label = f"{sample.label} over {over}" if over else sample.label
        glance = sample.glance(*routes_of_pair[0], over)
        yield BehaviourChange(label, was, will_be, glance)


def _is_noticed(before: Answer, after: Answer) -> bool:
    """Whether an unusual request matters: it will fail, or its body is no longer too large."""
    if before.kind == "error":
        return before.status == TOO_LARGE and after.kind != "error"
    return after.kind == "error"


def _visible_response(route: Route) -> str:
    """Describe what a visitor sees of an answer: of an error only its status."""
    if route.server is None or route.answer.kind != "error":
        return describe(route)
    return f"{route.answer.status}{cache_suffix(route)}"


def _address_families(requests: Iterable[Request]) -> str:
    families = {"IPv6" if ":" in request.address.host else "IPv4" for request in requests}
    return " and ".join(sorted(families))
