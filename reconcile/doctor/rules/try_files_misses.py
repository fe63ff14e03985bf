"""A file is there, and the try_files of its own location does not try it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.regex_denials import DENIAL, regex_denials
from reconcile.doctor.rule import Rule, RuleResult, check_each, error
from reconcile.doctor.served_files import visible_files
from reconcile.nginx.routing.route import Route
from reconcile.nginx.routing.uri import escaped

_MAX_TRIED = 5


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each location whose try_files misses its alias or root."""
    return check_each(inspection.mappings, partial(_check_location, inspection))


def _check_location(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    names = visible_files(inspection, mapping) if "try_files" in mapping.scope.own else []
    if not names or mapping.is_internal:
        return
    name = min(names, key=len)
    disk = inspection.nginx.disk_with(mapping.folder + name)
    uri = mapping.prefix + escaped(name)
    route = inspection.nginx.route(mapping.server, uri, disk, mapping.host)
    if route is None or not route.hops or route.hops[0].scope is not mapping.scope:
        return
    tried = [one.path for one in route.tried]
    if route.answer.path != mapping.folder + name and mapping.folder + name not in tried:
        yield _not_tried(mapping, name, uri, route, tried)


def _not_tried(
    mapping: LocationMapping, name: str, uri: str, route: Route, tried: list[str]
) -> RuleResult:
    answer, files = route.answer, mapping.scope.own["try_files"][0]
    result = f"passed to {answer.target}" if answer.kind == "pass" else f"{answer.status}"
    return error(
        f"try_files of {mapping} misses the files of {mapping.path}.",
        f"GET {uri}: {result}; {mapping.folder}{name} exists",
        *(f"tried: {path}" for path in tried[:_MAX_TRIED]),
        mapping.evidence,
        f"{files.place}: try_files {' '.join(files.args)};",
        fix=_fix(mapping),
    )


def _fix(mapping: LocationMapping) -> str:
    files, scope = mapping.scope.own["try_files"][0], mapping.scope
    if mapping.is_alias and scope.is_regex:
        denials = " ".join(regex_denials(mapping.server) or [DENIAL])
        return (
            f"{scope.directive.place}: location ^~ {mapping.prefix} {{ {denials} alias"
            f" {mapping.path}/; }} in place of it, then reload nginx. Or remove try_files: the"
            " alias of a regex location is the whole path, and $uri would be added to it."
        )
    last = files.args[-1]
    return f"{files.place}: try_files $uri {last if last != '$uri' else '=404'}; then reload nginx."


RULE = Rule(
    id="try-files-misses",
    summary="The try_files of a location does not try its own files.",
    severity="error",
    help=(
        "try_files adds what it names to the root or alias. In a regex location the alias is "
        "the whole path already, and elsewhere $uri is what leads to the file."
    ),
    reads=("configuration", "files"),
    check=check,
)
