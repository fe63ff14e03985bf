"""Describe an answer of nginx in one line."""

from __future__ import annotations

from reconcile.nginx.routing.headers import sent_headers, values_of
from reconcile.nginx.routing.route import CLOSED, Answer, Route

_DEPENDS_ON_TIME = "(depends on the time)"


def describe(route: Route) -> str:
    """The answer, its Cache-Control headers, and the default server where that answers."""
    if route.server is None:
        listens = not route.answer.reason.startswith("no server listens")
        return _answer_text(route.answer) if listens else "no answer: nothing listens there"
    return _answer_text(route.answer) + cache_suffix(route) + _default_server_suffix(route)


def describe_briefly(route: Route) -> str:
    """What a visitor gets, in as few words as possible."""
    answer = route.answer
    if route.server is None:
        return "no answer"
    if answer.kind == "error" and answer.status == CLOSED:
        return "closed connection"
    if answer.kind == "pass":
        target = (answer.target or "").removeprefix("http://")
        where = target if target.startswith("unix:") else answer.target
        return f"proxied to {where}{cache_suffix(route)}"
    if answer.kind in ("file", "return", "handler", "error"):
        return f"{answer.status or 200}{cache_suffix(route)}"
    return _answer_text(answer) + cache_suffix(route)


def is_by_default(route: Route) -> bool:
    """Whether the default server answers because no server has that name."""
    return route.server is not None and not route.server_why.startswith("server_name")


def cache_suffix(route: Route) -> str:
    """The Cache-Control headers of an answer, each behind a comma."""
    """`, Cache-Control: …` for each that the answer has; "" without."""
    return "".join(f", Cache-Control: {value}" for value in _cache_control(route))


def _cache_control(route: Route) -> list[str]:
    values = values_of(sent_headers(route), "Cache-Control")
    return [_DEPENDS_ON_TIME if value is None else value for value in values]


def _answer_text(answer: Answer) -> str:
    match answer.kind:
        case "file":
            status = "" if answer.status == 200 else f"{answer.status} with "
            return f"{status}file {answer.path}"
        case "listing":
            return f"a listing of {answer.path}"
        case "pass":
            return f"proxied to {answer.target}"
        case "redirect":
            return f"{answer.status} to {answer.target}"
        case "return" | "handler":
            return f"{answer.status or 200} from nginx itself"
        case "unknown":
            return f"unknown: {answer.reason}"
        case "error":
            return _refusal(answer)


def _refusal(answer: Answer) -> str:
    if answer.status == CLOSED:
        why = f" ({answer.reason})" if answer.reason not in ("", "return") else ""
        return f"a connection that is closed without an answer{why}"
    if answer.path and answer.reason in ("missing", "denied"):
        why = "does not exist" if answer.reason == "missing" else "denies access to nginx"
        return f"{answer.status} ({answer.path} {why})"
    has_reason = answer.reason not in ("", "return") and answer.status != 413
    return f"{answer.status} ({answer.reason})" if has_reason else str(answer.status)


def _default_server_suffix(route: Route) -> str:
    """Named only where no server has the requested name."""
    if route.server is None or not is_by_default(route):
        return ""
    return f", from the default server in {route.server.scope.directive.file}"
