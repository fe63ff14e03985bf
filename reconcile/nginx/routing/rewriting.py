"""The rewrite module: set, if, rewrite, return and break, as far as they are static."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.model.latin1 import from_raw, to_raw
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.routing import pcre
from reconcile.nginx.routing.indeterminate import Indeterminate
from reconcile.nginx.routing.request import FOLDERS
from reconcile.nginx.routing.request_context import PhaseResult, RequestContext, StatusResult
from reconcile.nginx.routing.route import Answer
from reconcile.nginx.routing.uri import unescape_redirect

_REDIRECTS = (301, 302, 303, 307, 308)
_URLS = ("http://", "https://", "$scheme")


@dataclass(frozen=True)
class _Stop:
    """The rewriting of this level ends here, without an answer."""


def run_rewrites(context: RequestContext, scope: Scope) -> PhaseResult | None:
    """Run one level's rewriting; it may change the path, and the scope by an `if`."""
    result = _run_all(context, scope, scope.rewrites)
    return None if isinstance(result, _Stop) else result


def _run_all(
    context: RequestContext, scope: Scope, directives: Iterable[Directive]
) -> PhaseResult | _Stop | None:
    for directive in directives:
        result = _run_one(context, scope, directive)
        if result:
            return result
    return None


def _run_one(
    context: RequestContext, scope: Scope, directive: Directive
) -> PhaseResult | _Stop | None:
    match directive.name:
        case "return":
            return _return(context, directive.args)
        case "rewrite":
            return _rewrite(context, directive)
        case "break":
            # After a `rewrite` it counts as that rewrite's own flag.
            context.valid_location = context.valid_location and not context.uri_changed
            context.uri_changed = False
            return _Stop()
        case "set":
            _set(context, directive.args)
        case "if" if holds(context, directive):
            return _enter_if(context, scope, directive)
    return None


def _enter_if(
    context: RequestContext, scope: Scope, directive: Directive
) -> PhaseResult | _Stop | None:
    inner = Scope(scope.tree, directive, scope)
    # At server level an `if` contains only rewrites; in a location it is a scope.
    if scope is not context.server_scope:
        context.scope = inner
    return _run_all(context, scope, inner.rewrites)


def _set(context: RequestContext, args: Sequence[str]) -> None:
    try:
        context.variables[args[0].lstrip("$")] = context.expand(args[1])
    except Indeterminate:
        context.variables[args[0].lstrip("$")] = None


def _return(context: RequestContext, args: Sequence[str]) -> PhaseResult:
    if not args[0].isdecimal():
        return StatusResult(302, target=context.expand(args[0]))
    code = int(args[0])
    if len(args) == 1 and code >= 400:
        return StatusResult(code, reason="return")
    text = context.expand(args[1]) if len(args) > 1 else ""
    if code in _REDIRECTS:
        return StatusResult(code, target=text)
    return Answer("return", context.error_status or code, body=from_raw(text))


def _rewrite(context: RequestContext, directive: Directive) -> PhaseResult | _Stop | None:
    pattern = pcre.compiled(to_raw(directive.args[0]))
    if pattern is None:
        raise Indeterminate(f"the regex of rewrite ({directive.place}) cannot be evaluated")
    match = pattern.search(context.path)
    if match is None:
        context.match = None
        return None
    context.remember(match)
    replacement, flag = directive.args[1], (*directive.args[2:], "")[0]
    keeps_args = not replacement.endswith("?")
    replacement = replacement if keeps_args else replacement[:-1]
    if replacement.startswith(_URLS) or flag in ("redirect", "permanent"):
        return _redirected(context, replacement, flag, keeps_args=keeps_args)
    return _rewritten(context, replacement, flag, keeps_args=keeps_args)


def _redirected(
    context: RequestContext, replacement: str, flag: str, *, keeps_args: bool
) -> StatusResult:
    target = unescape_redirect(context.expand(replacement, quote_groups=True))
    if keeps_args and context.args:
        target += ("&" if "?" in replacement else "?") + context.args
    return StatusResult(301 if flag == "permanent" else 302, target=target)


def _rewritten(
    context: RequestContext, replacement: str, flag: str, *, keeps_args: bool
) -> PhaseResult | _Stop | None:
    head, mark, tail = replacement.partition("?")
    args = context.expand(tail, quote_groups=True)
    if keeps_args and context.args and mark:
        args += "&" + context.args
    elif keeps_args and not mark:
        args = context.args
    path = context.expand(head)
    context.path, context.args, context.internal = path, args, True
    context.valid_unparsed_uri = False
    context.uri_changed = flag != "break"
    if flag == "break":
        context.valid_location = False
    if not path:
        return StatusResult(500, reason="the rewritten URI has a zero length")
    return _Stop() if flag in ("last", "break") else None


def holds(context: RequestContext, directive: Directive) -> bool:
    """Whether an `if` is true. Errors: Indeterminate."""
    words = _condition(directive.args)
    if not words or len(words) > 3:
        raise Indeterminate(f"the condition of {directive.place} cannot be evaluated")
    if words[0].startswith("$"):
        value = context.variable(words[0].strip("${}"))
        return value not in ("", "0") if len(words) == 1 else _compare(context, value, words[1:])
    return _file_test(context, words)


def _condition(args: Sequence[str]) -> list[str]:
    words = list(args)
    words[0] = words[0].removeprefix("(")
    words[-1] = words[-1].removesuffix(")")
    return [word for index, word in enumerate(words) if word or 0 < index < len(words) - 1]


def _compare(context: RequestContext, value: str, words: Sequence[str]) -> bool:
    operator, operand = words[0], words[1] if len(words) > 1 else ""
    if operator in ("=", "!="):
        return (value == context.expand(operand)) == (operator == "=")
    pattern = pcre.compiled(to_raw(operand), caseless=operator.endswith("*"))
    if pattern is None:
        raise Indeterminate(f"the regex {operand} cannot be evaluated")
    match = pattern.search(value)
    if match:
        context.remember(match)
    else:
        context.match = None
    return (match is not None) != operator.startswith("!")


def _file_test(context: RequestContext, words: Sequence[str]) -> bool:
    test = words[0].removeprefix("!")
    if test not in ("-f", "-d", "-e") or len(words) != 2:
        raise Indeterminate(f"the condition {' '.join(words)} cannot be evaluated")
    path = context.expand(words[1])
    kind = context.kind(path if path.startswith("/") else context.prefix + path)
    found = {
        "-f": kind in ("file", "unreadable"),
        "-d": kind in FOLDERS,
        "-e": kind not in ("missing", "denied"),
    }
    return found[test] != words[0].startswith("!")
