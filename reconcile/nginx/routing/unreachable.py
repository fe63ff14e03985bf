"""Locations and directives of a server that no request can reach.

Only what is certain: a regex that cannot be evaluated, or a condition, hides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product

from reconcile.dataclass import dataclass
from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.model.scope import PASSES, Scope

_MATCHES_ALL = re.compile(r"\^?(?:/|\(?/?\.\*\)?|\.)?\$?|/?\(\.\*\)\$?|\^/\(?\.\*\)?\$?")
_REWRITES = frozenset(["rewrite", "set", "if", "return", "break"])
_INHERITED = frozenset(["root", "index", "autoindex"])
_CONTENT = PASSES | _INHERITED | {"try_files", "alias"}


@dataclass(frozen=True)
class Unreachable:
    """A location or directive, and what keeps every request from it."""

    what: str
    place: str
    why: str


def unreachable(server: Scope) -> Iterator[Unreachable]:
    """What no request to the server reaches, in the order of its files."""
    if answer := _answer_of(server):
        named = _names_led_to(server)
        for location in server.locations:
            if location.name not in named:
                yield _location(
                    location, f"{_directive_text(answer)} ({answer.place}) answers before"
                )
        return
    yield from _of_level(server)
    yield from _own_try_files(server)
    yield from _unnamed(server)


def _of_level(scope: Scope) -> Iterator[Unreachable]:
    yield from _behind_answer(scope)
    yield from _behind_regex(scope.locations)
    for location in scope.locations:
        yield from _of_level(location)


def _answer_of(scope: Scope) -> Directive | None:
    """The `return` that answers every request of this level; None where one may pass it."""
    for directive in scope.rewrites:
        if directive.name == "return":
            return directive
        inner = {one.name for one in scope.tree.children(directive)}
        if {directive.name, *inner} & {"break", "rewrite"}:
            return None
    return None


def _behind_answer(scope: Scope) -> Iterator[Unreachable]:
    """The directives of a location that its `return` makes useless."""
    answer = _answer_of(scope)
    if answer is None or scope.directive.name != "location":
        return
    is_behind = False
    for directive in scope.directives:
        is_inherited = directive.name in _INHERITED and scope.locations
        is_content = directive.name in _CONTENT and not is_inherited
        if is_content or (is_behind and directive.name in _REWRITES):
            yield Unreachable(
                _directive_text(directive),
                directive.place,
                f"{_directive_text(answer)} answers every request",
            )
        is_behind = is_behind or directive is answer


def _behind_regex(locations: Sequence[Scope]) -> Iterator[Unreachable]:
    """Locations that an earlier regex takes every request from."""
    regexes = [one for one in locations if one.is_regex]
    known: dict[tuple[str, str], Scope] = {}
    for number, one in enumerate(regexes):
        same = known.setdefault((one.modifier, one.name), one)
        greedy = next((r for r in regexes[:number] if _takes_all(r)), None)
        if same is not one:
            yield _location(one, f"{same} comes first, at {same.directive.place}")
        elif greedy:
            yield _location(one, _takes_all_text(greedy))
    for greedy in [one for one in regexes if _takes_all(one)][:1]:
        for one in locations:
            # What is inside of a prefix is searched before the regexes beside it.
            if one.modifier == "" and not one.locations and not one.redirects_bare:
                yield _location(one, _takes_all_text(greedy))


def _takes_all_text(regex: Scope) -> str:
    return f"{regex} ({regex.directive.place}) takes all"


def _takes_all(regex: Scope) -> bool:
    return _MATCHES_ALL.fullmatch(regex.name) is not None


def _own_try_files(server: Scope) -> Iterator[Unreachable]:
    """A try_files beside the locations: it is for requests that none of them takes."""
    every = [one for one in server.locations if one.name == "/" and one.modifier in ("", "^~")]
    for location, directive in product(every, server.own.get("try_files", ())):
        why = f"{location} ({location.directive.place}) takes every request and does not inherit it"
        yield Unreachable(_directive_text(directive), directive.place, why)


def _unnamed(server: Scope) -> Iterator[Unreachable]:
    """Named locations that nothing leads to."""
    led_to = _names_led_to(server)
    if any("$" in name for name in led_to):
        return
    for location in server.locations:
        if location.modifier == "@" and location.name not in led_to:
            why = "no try_files or error_page leads to it; only X-Accel-Redirect of an app can"
            yield _location(location, why)


def _names_led_to(server: Scope) -> frozenset[str]:
    """The targets of the server's try_files and error_page."""
    inner = server.tree.walk(server.directive)
    found = [one for one in inner if one.name in ("try_files", "error_page", "post_action")]
    return frozenset(one.args[-1] for one in (*found, *server.inherited("error_page")) if one.args)


def _directive_text(directive: Directive) -> str:
    return " ".join((directive.name, *directive.args))


def _location(scope: Scope, why: str) -> Unreachable:
    return Unreachable(str(scope), scope.directive.place, why)
