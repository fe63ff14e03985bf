"""A location, or a try_files, that no request reaches: another location takes them all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from posixpath import basename

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import all_locations
from reconcile.doctor.regex_examples import matching_texts
from reconcile.doctor.rule import Rule, RuleResult, check_each, note, warning
from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.model.latin1 import from_raw, to_raw
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.render.site_view import CHALLENGES
from reconcile.nginx.routing.location_match import LocationMatch
from reconcile.nginx.routing.servers import Server
from reconcile.nginx.routing.unreachable import unreachable
from reconcile.wording import counted, first_few

_WORD = "reconcile"
_MAX_TEXTS = 20
_DECIDES = ("add_header", "deny", "return", "auth_basic", "types", "internal")
"""What makes it matter that another location answers a part of the requests."""


@dataclass(frozen=True)
class _Example:
    """A text that the location's name or regex fits, and the locations that take its URIs."""

    text: str
    is_reached: bool
    winner: LocationMatch


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a warning for each location that no request reaches, or only some of its own."""
    # The rule route-shadowed reports folders whose files another location takes.
    served = {one.scope.directive for one in inspection.mappings_of("static", "media")}
    for server in inspection.servers:
        yield from _behind_return(server)
        yield from _dead_try_files(server)
        yield from _useless(server)
        if "return" not in server.scope.own:
            others = (one for one in all_locations(server) if one.directive not in served)
            yield from check_each(others, partial(_check_location, server))


def _useless(server: Server) -> Iterator[RuleResult]:
    """Directives that are certain to have no effect, and harm nobody."""
    # Those with an effect on visitors are reported as such.
    reported = {"try_files": server.scope.own.get("try_files"), "location": server.scope.locations}
    for one in unreachable(server.scope):
        kind = "" if one.what.startswith("location @") else one.what.partition(" ")[0]
        if not reported.get(kind):
            yield note(
                f"{one.what} of {server.names[0] or server.place} has no effect.",
                f"{one.place}: {one.why}",
                fix=f"{one.place}: remove it.",
            )


def _moved_answer(answer: Directive, locations: Iterable[Scope]) -> str:
    """A server has one location / at most."""
    text = f"return {' '.join(answer.args)};"
    if any((one.modifier, one.name) == ("", "/") for one in locations):
        return f"{answer.place}: remove it, or move it to a server of its own, then reload nginx."
    return f"{answer.place}: put it into a location: location / {{ {text} }}"


def _behind_return(server: Server) -> Iterator[RuleResult]:
    """The server block itself answers each request, before a location is chosen."""
    locations = server.scope.locations
    if "return" not in server.scope.own or not locations:
        return
    answer = server.scope.own["return"][0]
    names = [from_raw(one.name) for one in locations]
    is_renewal = any(name.startswith(CHALLENGES.rstrip("/")) for name in names)
    effect = ("a certificate cannot be renewed here",) if is_renewal else ()
    yield warning(
        f"No request reaches {counted(len(names), 'location')} of {server.names[0]}:"
        " its server block answers each itself.",
        f"{answer.place}: return {' '.join(answer.args)};",
        *(f"{one.directive.place}: {one}" for one in locations[:3]),
        *effect,
        fix=_moved_answer(answer, locations),
    )


def _dead_try_files(server: Server) -> Iterator[RuleResult]:
    """A try_files of the server block counts only where no location matches."""
    catch_all = server.locations.prefixes.get("/")
    if catch_all is None:
        return
    for files in server.scope.own.get("try_files", ()):
        yield warning(
            f"try_files of the server {server.names[0]} is never used: {catch_all} takes each"
            " request.",
            f"{files.place}: try_files {' '.join(files.args)};",
            f"{catch_all.directive.place}: {catch_all}",
            fix=f"{files.place}: move it into {catch_all} ({catch_all.directive.place}).",
        )


def _check_location(server: Server, scope: Scope) -> Iterator[RuleResult]:
    examples = list(_examples(server, scope))
    lost = [one for one in examples if not one.is_reached]
    if not lost:
        return
    if len(lost) == len(examples):
        yield _unreachable(server, scope, lost)
    elif scope.is_regex and any(name in scope.own for name in _DECIDES):
        by_regex = [one for one in lost if one.winner.scope.is_regex]
        if by_regex:
            yield _partly_reached(server, scope, by_regex)


def _examples(server: Server, scope: Scope) -> Iterator[_Example]:
    for text in _texts(scope):
        found = [server.locations.find(to_raw(uri)) for uri in _uris(server, scope, text)]
        if found:
            is_reached = any(any(one is scope for one in match.scope.outward()) for match in found)
            yield _Example(text, is_reached, found[0])


def _texts(scope: Scope) -> list[str]:
    name = from_raw(scope.name)
    if scope.is_regex:
        return list(dict.fromkeys(islice(matching_texts(name), _MAX_TEXTS)))
    # A name with an ending is one file; what could follow it is no request of anybody.
    return [] if scope.modifier in ("@", "=") else [name]


def _uris(server: Server, scope: Scope, text: str) -> list[str]:
    """URIs that have the text, below each prefix that the server has."""
    if not scope.is_regex:
        is_file = "." in basename(text)
        return [text] if is_file else [text, text + _WORD, f"{text.rstrip('/')}/{_WORD}"]
    outer = scope.parent
    is_nested = outer is not None and outer.directive.name == "location" and not outer.is_regex
    inner = [from_raw(outer.name)] if outer is not None and is_nested else []
    if scope.name.startswith("^"):
        # A nested regex gets only what begins like the location around it.
        return [
            *([text] if text.startswith("/") else []),
            *inner,
            *(f"{one}{_WORD}" for one in inner),
        ]
    tops = ["/", *(from_raw(one) for one in server.locations.prefixes if one.endswith("/")), *inner]
    texts = [f"{top}{_WORD}{text}" for top in tops]
    return [text, *texts] if text.startswith("/") else texts


def _unreachable(server: Server, scope: Scope, lost: list[_Example]) -> RuleResult:
    winner = lost[0].winner
    return warning(
        f"No request reaches {scope} of {server.names[0]}.",
        f"{scope.directive.place}: {scope}",
        f"{winner.scope.directive.place}: {winner.scope} takes {lost[0].text}: {winner.why}",
        fix=_fix(scope, winner),
    )


def _partly_reached(server: Server, scope: Scope, lost: list[_Example]) -> RuleResult:
    winner, texts = lost[0].winner, [one.text for one in lost]
    ignored = [
        f"{one.place}: {name} {' '.join(one.args)}; has no effect there"
        for name in _DECIDES
        for one in scope.own.get(name, ())[:2]
    ]
    return warning(
        f"{scope} of {server.names[0]} never gets {first_few(texts)}.",
        f"{scope.directive.place}: {scope}",
        f"{winner.scope.directive.place}: {winner.scope} comes first: {winner.why}",
        *ignored,
        fix=_fix(scope, winner),
    )


def _fix(scope: Scope, winner: LocationMatch) -> str:
    place, other = scope.directive.place, winner.scope
    if scope.is_regex and other.modifier == "^~":
        return f"{place}: move it into {other} ({other.directive.place}), which skips regexes."
    if scope.is_regex:
        return f"{place}: move it above {other} ({other.directive.place}); the first regex wins."
    return f"{place}: location ^~ {from_raw(scope.name)} {{ … }}, which skips regex locations."


RULE = Rule(
    id="unreachable-location",
    summary="No request reaches a location, or a part of its requests goes to another.",
    severity="warning",
    help=(
        "The first matching regex wins, and ^~ skips all of them. Lines that no request reaches "
        "have no effect: a header is missing, or what they deny is sent. Move the location "
        "above or into the one that takes its requests."
    ),
    reads=("configuration",),
    check=check,
)
