"""The rewrite module: set, if, rewrite, return and break, as far as they are static."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reconcile.nginx.model.latin1 import from_raw, to_raw
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.model.tree import Directive
from reconcile.nginx.routing import pcre
from reconcile.nginx.routing.location_match import Undecidable
from reconcile.nginx.routing.request_context import Outcome, Status, Visit
from reconcile.nginx.routing.route import Answer
from reconcile.nginx.routing.uri import tidied

_REDIRECTS = (301, 302, 303, 307, 308)
_URLS = ("http://", "https://", "$scheme")


@dataclass(frozen=True)
class _Stop:
    """The rewriting of this level ends here, without an answer."""


def run_rewrites(visit: Visit, scope: Scope) -> Outcome | None:
    """Run one level's rewriting; it may change the path, and the scope by an `if`."""
    result = _run(visit, scope, scope.rewrites)
    return None if isinstance(result, _Stop) else result


def _run(visit: Visit, scope: Scope, directives: Iterable[Directive]) -> Outcome | _Stop | None:
    for directive in directives:
        result = _step(visit, scope, directive)
        if result:
            return result
    return None


def _step(visit: Visit, scope: Scope, directive: Directive) -> Outcome | _Stop | None:
    match directive.name:
        case "return":
            return _return(visit, directive.args)
        case "rewrite":
            return _rewrite(visit, directive)
        case "break":
            # After a `rewrite` it counts as that rewrite's own flag.
            visit.valid_location = visit.valid_location and not visit.uri_changed
            visit.uri_changed = False
            return _Stop()
        case "set":
            _set(visit, directive.args)
        case "if" if holds(visit, directive):
            return _enter(visit, scope, directive)
    return None


def _enter(visit: Visit, scope: Scope, directive: Directive) -> Outcome | _Stop | None:
    inner = Scope(scope.tree, directive, scope)
    # At server level an `if` holds rewriting alone; in a location it is a level of its own.
    if scope is not visit.server_scope:
        visit.scope = inner
    return _run(visit, scope, inner.rewrites)


def _set(visit: Visit, args: Sequence[str]) -> None:
    try:
        visit.variables[args[0].lstrip("$")] = visit.expand(args[1])
    except Undecidable:
        visit.variables[args[0].lstrip("$")] = None


def _return(visit: Visit, args: Sequence[str]) -> Outcome:
    if not args[0].isdecimal():
        return Status(302, target=visit.expand(args[0]))
    code = int(args[0])
    if len(args) == 1 and code >= 400:
        return Status(code, reason="return")
    text = visit.expand(args[1]) if len(args) > 1 else ""
    if code in _REDIRECTS:
        return Status(code, target=text)
    return Answer("return", visit.error_status or code, body=from_raw(text))


def _rewrite(visit: Visit, directive: Directive) -> Outcome | _Stop | None:
    pattern = pcre.compiled(to_raw(directive.args[0]))
    if pattern is None:
        raise Undecidable(f"the regex of rewrite ({directive.place}) is not ours to read")
    match = pattern.search(visit.path)
    if match is None:
        visit.match = None
        return None
    visit.remember(match)
    replacement, flag = directive.args[1], (*directive.args[2:], "")[0]
    keeps_args = not replacement.endswith("?")
    replacement = replacement if keeps_args else replacement[:-1]
    if replacement.startswith(_URLS) or flag in ("redirect", "permanent"):
        return _redirected(visit, replacement, flag, keeps_args=keeps_args)
    return _rewritten(visit, replacement, flag, keeps_args=keeps_args)


def _redirected(visit: Visit, replacement: str, flag: str, *, keeps_args: bool) -> Status:
    target = tidied(visit.expand(replacement, quote_groups=True))
    if keeps_args and visit.args:
        target += ("&" if "?" in replacement else "?") + visit.args
    return Status(301 if flag == "permanent" else 302, target=target)


def _rewritten(
    visit: Visit, replacement: str, flag: str, *, keeps_args: bool
) -> Outcome | _Stop | None:
    head, mark, tail = replacement.partition("?")
    args = visit.expand(tail, quote_groups=True)
    if keeps_args and visit.args and mark:
        args += "&" + visit.args
    elif keeps_args and not mark:
        args = visit.args
    path = visit.expand(head)
    visit.path, visit.args, visit.internal = path, args, True
    visit.uri_changed = flag != "break"
    if flag == "break":
        visit.valid_location = False
    if not path:
        return Status(500, reason="the rewritten URI has a zero length")
    return _Stop() if flag in ("last", "break") else None


def holds(visit: Visit, directive: Directive) -> bool:
    """Whether an `if` is true. Errors: Undecidable."""
    words = _condition(directive.args)
    if not words or len(words) > 3:
        raise Undecidable(f"the condition of {directive.place} is not ours to read")
    if words[0].startswith("$"):
        value = visit.variable(words[0].strip("${}"))
        return value not in ("", "0") if len(words) == 1 else _compare(visit, value, words[1:])
    return _file_test(visit, words)


def _condition(args: Sequence[str]) -> list[str]:
    words = list(args)
    words[0] = words[0].removeprefix("(")
    words[-1] = words[-1].removesuffix(")")
    return [word for index, word in enumerate(words) if word or 0 < index < len(words) - 1]


def _compare(visit: Visit, value: str, words: Sequence[str]) -> bool:
    operator, operand = words[0], words[1] if len(words) > 1 else ""
    if operator in ("=", "!="):
        return (value == visit.expand(operand)) == (operator == "=")
    pattern = pcre.compiled(to_raw(operand), caseless=operator.endswith("*"))
    if pattern is None:
        raise Undecidable(f"the regex {operand} is not ours to read")
    match = pattern.search(value)
    if match:
        visit.remember(match)
    else:
        visit.match = None
    return (match is not None) != operator.startswith("!")


def _file_test(visit: Visit, words: Sequence[str]) -> bool:
    test = words[0].removeprefix("!")
    if test not in ("-f", "-d", "-e") or len(words) != 2:
        raise Undecidable(f"the condition {' '.join(words)} is not ours to read")
    path = visit.expand(words[1])
    kind = visit.kind(path if path.startswith("/") else visit.prefix + path)
    found = {
        "-f": kind == "file",
        "-d": kind == "directory",
        "-e": kind not in ("missing", "denied"),
    }
    return found[test] != words[0].startswith("!")
