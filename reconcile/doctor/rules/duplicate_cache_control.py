"""`expires` and `add_header Cache-Control` each send a header: caches may use either."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import all_locations
from reconcile.doctor.rule import Rule, RuleResult, note, warning
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.model.sizes import parse_seconds
from reconcile.nginx.routing.headers import added_headers

_AGE = re.compile(r"\bmax-age\s*=\s*(\d+)")
_EXPIRES = re.compile(r": expires (max|[0-9][0-9a-z]*)$")
YEARS_S = 315360000
"""The max-age of `expires max`."""
_FORBIDS = re.compile(r"\bno-store|\bno-cache|\bprivate\b|expires (?:epoch|-)|max-age\s*=\s*0\b")


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a warning for each location whose Cache-Control headers contradict, else a note."""
    for server in inspection.servers:
        for scope in all_locations(server):
            sources = _cache_control_directives(scope)
            if len(sources) > 1:
                severity = warning if _contradict(sources) else note
                yield severity(
                    f"{scope} of {server.names[0]} sends {len(sources)} Cache-Control headers.",
                    *sources,
                    fix=f"{scope.directive.place}: use one add_header Cache-Control"
                    f' "{_in_one(sources)}"; and no expires.',
                )


def _in_one(sources: list[str]) -> str:
    """What one header has to be: the more careful of those that contradict."""
    if any(_FORBIDS.search(source) for source in sources):
        return "no-cache"
    ages = [age for source in sources for age in _ages(source)]
    immutable = ", immutable" if any("immutable" in source for source in sources) else ""
    return f"public, max-age={min(ages, default=604_800)}{immutable}"


def _contradict(sources: list[str]) -> bool:
    """Whether caches that obey one header disobey another; `public` beside an age does not."""
    ages = {age for source in sources for age in _ages(source)}
    forbidden = [source for source in sources if _FORBIDS.search(source)]
    return len(ages) > 1 or 0 < len(forbidden) < len(sources)


def _ages(source: str) -> list[int]:
    """The ages that it states, in seconds."""
    expires = _EXPIRES.search(source)
    if expires is None:
        return [int(age) for age in _AGE.findall(source)]
    return [YEARS_S if expires[1] == "max" else parse_seconds(expires[1]) or 0]


def _cache_control_directives(scope: Scope) -> list[str]:
    """The directives in force that add the header, if the location itself has one of them."""
    own = {*scope.own} & {"expires", "add_header"}
    if not own or "return" in scope.own:
        return []
    added = [
        f"{one.place}: add_header Cache-Control {one.value}"
        for one in added_headers(scope)
        if one.name.lower() == "cache-control"
    ]
    expires = scope.inherited("expires")
    # A variable may be "off" for these responses.
    if expires and expires[-1].args[-1] != "off" and "$" not in expires[-1].args[-1]:
        added.append(f"{expires[-1].place}: expires {' '.join(expires[-1].args)}")
    return added


RULE = Rule(
    id="duplicate-cache-control",
    summary="A response has two Cache-Control headers.",
    severity="warning",
    help=(
        "A response with two Cache-Control headers is cached as either demands. Set it in one way."
    ),
    reads=("configuration",),
    yaml_key="locations",
    check=check,
)
