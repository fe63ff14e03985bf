"""What visitors will notice of a plan: the same requests, answered before and after it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from reconcile.engine.behaviour_change import BehaviourChange, Glance
from reconcile.nginx.routing.describe import describe, describe_briefly, is_by_default
from reconcile.nginx.routing.headers import content_type, sent_headers, values_of
from reconcile.nginx.routing.request import PathKinds, Request
from reconcile.nginx.routing.route import Answer, Route
from reconcile.nginx.routing.router import Router
from reconcile.nginx.routing.upstream_request import passed_headers
from reconcile.nginx.running.worker_view import WithAssumedFiles

TOO_LARGE = 413
NO_CONTENT = 204
_POSITION = re.compile(r" \(/[^\s()]+:\d+\)")


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

    def glance(self, before: Route, after: Route, over: str, differs: str) -> Glance:
        """Summarize the change of the answer as a visitor sees it."""
        was, will_be = describe_briefly(before), describe_briefly(after)
        if was == will_be:
            was, will_be = without_lines(describe(before)), without_lines(describe(after))
        if was == will_be:
            was, will_be = describe_briefly(before), f"{describe_briefly(after)}, {differs}"
        request = f"{self._method} {self.short or self.path}"
        usual = self.is_usual or _is_noticed(before.answer, after.answer)
        return Glance(self.server, request, was, will_be, over, is_by_default(before), usual)

    @property
    def _method(self) -> str:
        return self.requests[0].method


def no_body(path: str) -> str:  # noqa: ARG001
    """A body of which nothing is known."""
    return ""


@dataclass(frozen=True)
class ServedState:
    """A configuration and the files that it serves.

    `body` gives the digest of a file's content, "" where it is not known. `upstreams` maps a group
    to its servers.
    """

    router: Router
    files: PathKinds
    body: Callable[[str], str] = no_body
    upstreams: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def route(self, request: Request, assumed_files: frozenset[str]) -> Route:
        """Route `request` as if `assumed_files` existed."""
        files = WithAssumedFiles(self.files, assumed_files) if assumed_files else self.files
        return self.router.route(request, files)

    def what(self, route: Route) -> str:
        """What kind of answer it is, and where it is from; "" without a server."""
        answer = route.answer
        if answer.kind == "pass":
            return f"passed to {self._servers(answer.target or '')}"
        if route.server is None:
            return ""
        what = f"{answer.kind} {answer.reason}" if answer.kind == "unknown" else str(answer.status)
        if answer.kind in ("error", "unknown", "handler"):
            return what
        folder = answer.path if answer.kind == "listing" else ""
        return f"{what} {answer.target or folder}"

    def visible(self, route: Route) -> VisibleResponse:
        """What a visitor gets of the answer, and an app of the request."""
        answer = route.answer
        headers = {name: value for name, value in _headers(route) if value != ""}
        if answer.kind == "pass":
            uri = route.passed_uri.uri if route.passed_uri else None
            return VisibleResponse(headers, uri or "", dict(_passed(route)))
        if route.server is None or answer.kind == "error":
            cached = {name: value for name, value in headers.items() if name == "Cache-Control"}
            return VisibleResponse(cached)
        if answer.kind in ("unknown", "handler"):
            return VisibleResponse(headers)
        body = self.body(answer.path or "") if answer.kind == "file" else answer.body or ""
        return VisibleResponse(headers, body)

    def _servers(self, target: str) -> str:
        scheme, _, rest = target.partition("://")
        group, slash, path = rest.partition("/")
        found = self.upstreams.get(group, frozenset([group]))
        return f"{scheme} {' '.join(sorted(found))}{slash}{path}"


@dataclass(frozen=True)
class VisibleResponse:
    """What is noticed of an answer: by a visitor, or by an app of its request."""

    headers: Mapping[str, str]
    body: str = ""
    passed: Mapping[str, str | None] = field(default_factory=dict)


def _passed(route: Route) -> Iterator[tuple[str, str | None]]:
    """The headers that an app gets, once for each URL; the client's address varies."""
    client = route.request.client
    for header in passed_headers(route) if route.request.method == "GET" else ():
        if header.value != "":
            value = header.value and header.value.replace(client, "(the client's address)")
            yield header.name, value


def _headers(route: Route) -> Iterator[tuple[str, str]]:
    sent = list(sent_headers(route))
    for name in {header.name.lower(): header.name for header in sent}.values():
        values = values_of(sent, name)
        yield name.title(), ", ".join("(varies)" if one is None else one for one in values)
    has_body = route.answer.kind in ("file", "return") and route.answer.status != NO_CONTENT
    if has_body and route.scope:
        yield "Content-Type", content_type(route.scope, route.path)


def response_changes(
    samples: Iterable[SampleRequest], before: ServedState, after: ServedState
) -> tuple[BehaviourChange, ...]:
    """Every question that is answered otherwise; of one URL's addresses those that differ."""
    return tuple(change for question in samples for change in _changes_of(question, before, after))


def _changes_of(
    sample: SampleRequest, before: ServedState, after: ServedState
) -> Iterator[BehaviourChange]:
    pairs: dict[tuple[str, str, str], list[tuple[Route, Route]]] = {}
    for request in sample.requests:
        routes = (
            before.route(request, sample.assumed_files),
            after.route(request, sample.assumed_files),
        )
        is_other = before.what(routes[0]) != after.what(routes[1])
        differs = (
            "another answer"
            if is_other
            else _difference(before.visible(routes[0]), after.visible(routes[1]))
        )
        key = (without_lines(describe(routes[0])), without_lines(describe(routes[1])), differs)
        pairs.setdefault(key, []).append(routes)
    for (was, will_be, differs), routes_of_pair in pairs.items():
        if not differs:
            continue
        over = _address_families(old.request for old, _ in routes_of_pair) if len(pairs) > 1 else ""
        label = f"{sample.label} over {over}" if over else sample.label
        glance = sample.glance(*routes_of_pair[0], over, differs)
        shown = f"{will_be}, {differs}" if was == will_be else will_be
        yield BehaviourChange(label, was, shown, glance)


def _difference(was: VisibleResponse, will_be: VisibleResponse) -> str:
    """What a visitor, or the app, notices; "" where nothing differs."""
    parts = list(_changed(was.headers, will_be.headers))
    parts += [f"the app gets {part}" for part in _changed(was.passed, will_be.passed)]
    if was.passed and was.body != will_be.body:
        parts.append(f"the app gets {will_be.body}")
    elif was.body and will_be.body and was.body != will_be.body:
        parts.append("other content")
    return ", ".join(parts)


def _changed(was: Mapping[str, str | None], will_be: Mapping[str, str | None]) -> Iterator[str]:
    for name in sorted({*was, *will_be}):
        if was.get(name) != will_be.get(name):
            now = will_be.get(name, "")
            yield f"no {name}" if name not in will_be else f"{name}: {now or '(varies)'}"


def _is_noticed(before: Answer, after: Answer) -> bool:
    """Whether an unusual request matters: it will fail, or its body is no longer too large."""
    if before.kind == "error":
        return before.status == TOO_LARGE and after.kind != "error"
    return after.kind == "error"


def without_lines(text: str) -> str:
    """A description without positions in files: they move with every line above them."""
    return _POSITION.sub("", text)


def _address_families(requests: Iterable[Request]) -> str:
    families = {"IPv6" if ":" in request.address.host else "IPv4" for request in requests}
    return " and ".join(sorted(families))
