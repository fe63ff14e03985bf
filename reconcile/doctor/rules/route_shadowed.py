"""`location ~ \\.css$` takes precedence over the plain prefix `location /static/`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from posixpath import splitext

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.regex_denials import denies, regex_denials
from reconcile.doctor.rule import Rule, RuleResult, check_each, error, note
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.routing.route import Route
from reconcile.wording import counted

USUAL = {"static": (".css", ".js", ".png", ".svg"), "media": (".jpg", ".png", ".txt")}
ASSETS = frozenset(
    [
        *(".css", ".js", ".mjs", ".wasm", ".woff", ".woff2", ".ttf"),
        *(".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".avif", ".ico"),
    ]
)
"""Endings of what pages load."""
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
        and _is_shadowed(inspection, mapping, name, route)
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


def _is_shadowed(
    inspection: HostInspection, mapping: LocationMapping, name: str, route: Route
) -> bool:
    if route.answer.kind == "file" and route.answer.path == mapping.folder + name:
        return False
    actual = route.hops[0].scope if route.hops else None
    # A longer prefix is intended; what the location itself misses, other rules report.
    if actual is None or not actual.is_regex or actual.directive == mapping.scope.directive:
        return False
    if denies(actual):
        return _denies_assets(inspection, mapping, name, actual)
    if _is_nested(actual, mapping):
        has_folder = bool({"root", "alias"} & actual.own.keys())
        return has_folder and route.answer.kind == "error" and _has(inspection, mapping, name)
    return route.answer.kind != "return"


def _is_nested(actual: Scope, mapping: LocationMapping) -> bool:
    return any(scope.directive == mapping.scope.directive for scope in actual.outward())


def _has(inspection: HostInspection, mapping: LocationMapping, name: str) -> bool:
    return inspection.nginx.disk.kind(mapping.folder + name) == "file"


def _denies_assets(
    inspection: HostInspection, mapping: LocationMapping, name: str, actual: Scope
) -> bool:
    """Whether a regex denies an ending that pages load, in the folder of their files.

    Any other denial is intended: `location ~ /\\. { deny all; }`.
    """
    ending = splitext(name)[1].lower()
    is_of_page = mapping.role == "static" and ending in ASSETS and "allow" not in actual.own
    if not is_of_page or not _has(inspection, mapping, name):
        return False
    # A part of the folder may be closed; its endings may not.
    any_name = inspection.nginx.route_to_file(mapping, _NAME + ending)
    return bool(any_name and any_name.hops and any_name.hops[0].scope == actual)


def _is_lost(inspection: HostInspection, mapping: LocationMapping, name: str, route: Route) -> bool:
    """Whether the location has the file, and visitors get none."""
    disk, answer = inspection.nginx.disk, route.answer
    is_file = answer.kind == "file" and disk.kind(answer.path or "") == "file"
    return _has(inspection, mapping, name) and not is_file


def _shadowed_location(
    mapping: LocationMapping,
    shadowed: list[tuple[str, Route]],
    severity: Callable[..., RuleResult],
) -> RuleResult:
    name, route = shadowed[0]
    actual, answer = route.hops[0], route.answer
    result = f"passed to {answer.target}" if answer.kind == "pass" else answer.path or answer.kind
    return severity(
        f"{actual.scope} takes {counted(len(shadowed), 'kind')} of files from {mapping}.",
        f"{mapping.prefix}{name} -> {actual.scope} ({actual.place}): {actual.why}; {result}",
        f"expected: {mapping.folder}{name}",
        mapping.evidence,
        fix=_fix(mapping, actual.scope, [name for name, _ in shadowed]),
        apply_fixes=mapping.is_restored_by_apply and mapping.scope.modifier != "^~",
    )


def _fix(mapping: LocationMapping, actual: Scope, names: list[str]) -> str:
    if denies(actual):
        endings = " ".join(dict.fromkeys(splitext(name)[1] for name in names))
        return f"{actual.directive.place}: take {endings} out of the regex; then reload nginx."
    if _is_nested(actual, mapping):
        own = [*actual.own.get("alias", []), *actual.own.get("root", [])][0]
        around = f"{mapping.directive.name} {mapping.directive.args[0]}"
        return f"{own.place}: remove {own.name}: the location then inherits {around}."
    denials = "".join(f"{one} " for one in regex_denials(mapping.server))
    place = mapping.scope.directive.place
    return f"{place}: location ^~ {mapping.prefix} {{ {denials}… }}, then reload nginx."


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
