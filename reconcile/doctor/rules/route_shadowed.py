"""`location ~ \\.css$` takes precedence over the plain prefix `location /static/`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from posixpath import splitext

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.regex_denials import denies, regex_denials
from reconcile.doctor.rule import Rule, RuleResult, check_each, error, note
from reconcile.nginx.routing.route import Route
from reconcile.wording import counted

USUAL = {"static": (".css", ".js", ".png", ".svg"), "media": (".jpg", ".png", ".txt")}
_NAME = "reconcile-canary"


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each location whose files a regex location answers otherwise."""
    # The location / is where everything goes that no other location has.
    mappings = (one for one in inspection.mappings if one.prefix != "/")
    return check_each(mappings, partial(_check_location, inspection))


def _check_location(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    shadowed = [
        (name, route)
        for name in _sample_names(inspection, mapping)
        if (route := inspection.nginx.route_to_file(mapping, name))
        and _is_shadowed(route, mapping, name)
    ]
    if shadowed:
        is_lost = any(_is_lost(inspection, mapping, name, route) for name, route in shadowed)
        yield _shadowed_location(mapping, shadowed, error if is_lost else note)


def _sample_names(inspection: HostInspection, mapping: LocationMapping) -> list[str]:
    """One real file for each suffix, then the usual suffixes."""
    found = inspection.inventory(mapping.path)
    files = [item for item in found.of_kind("file") if not item.is_hidden] if found else []
    real = {splitext(item.path)[1]: item.path for item in files}
    usual = (_NAME + suffix for suffix in USUAL.get(mapping.role, ()) if suffix not in real)
    return [*real.values(), *usual]


def _is_shadowed(route: Route, mapping: LocationMapping, name: str) -> bool:
    if route.answer.kind == "file" and route.answer.path == mapping.folder + name:
        return False
    actual = route.hops[0].scope if route.hops else None
    own = mapping.scope.directive
    is_nested = actual is not None and any(scope.directive == own for scope in actual.outward())
    # A denial is intended (`location ~ /\. { deny all; }`), and so is a longer prefix.
    if actual is None or not actual.is_regex or denies(actual):
        return False
    return not is_nested and route.answer.kind != "return"


def _is_lost(inspection: HostInspection, mapping: LocationMapping, name: str, route: Route) -> bool:
    """Whether the location has the file, and visitors get none."""
    disk, answer = inspection.nginx.disk, route.answer
    is_own = disk.kind(mapping.folder + name) == "file"
    return is_own and not (answer.kind == "file" and disk.kind(answer.path or "") == "file")


def _shadowed_location(
    mapping: LocationMapping,
    shadowed: list[tuple[str, Route]],
    severity: Callable[..., RuleResult],
) -> RuleResult:
    name, route = shadowed[0]
    denials = "".join(f"{one} " for one in regex_denials(mapping.server))
    actual, answer = route.hops[0], route.answer
    result = f"passed to {answer.target}" if answer.kind == "pass" else answer.path or answer.kind
    return severity(
        f"{actual.scope} takes {counted(len(shadowed), 'kind')} of files from {mapping}.",
        f"{mapping.prefix}{name} -> {actual.scope} ({actual.place}): {actual.why}; {result}",
        f"expected: {mapping.folder}{name} ({mapping.place})",
        fix=f"{mapping.scope.directive.place}: location ^~ {mapping.prefix}"
        f" {{ {denials}… }}, then reload nginx.",
        apply_fixes=mapping.is_restored_by_apply and mapping.scope.modifier != "^~",
    )


RULE = Rule(
    id="route-shadowed",
    summary="Another location answers some of a location's files.",
    severity="error",
    help=(
        "A regex location takes precedence over a plain prefix, so some files are "
        "answered from elsewhere. Make the prefix ^~, or narrow the regex."
    ),
    reads=("configuration", "files"),
    guide_rows=("CC6", "DB7", "CL8", "CL9"),
    yaml_key="locations",
    check=check,
)
