"""Compression on the fly takes the ranges that films, sounds and downloads need."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, check_each, warning
from reconcile.doctor.served_files import files_by_ending
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.routing.headers import content_type

_COMPRESSED = re.compile(
    r"video/|audio/|image/(?!svg|x-icon|vnd\.microsoft\.icon|bmp|x-ms-bmp)"
    r"|application/(?:pdf|zip|gzip|x-7z-compressed|octet-stream|epub\+zip|x-rar.*|java-archive)"
)
"""Types whose files do not become smaller, and that are read in parts or continued."""
_FILTERS = ("gzip", "brotli", "zstd")


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a warning for each folder whose films or downloads lose their ranges."""
    return check_each(inspection.mappings, partial(_check_location, inspection))


def _check_location(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    for ending, files in files_by_ending(inspection, mapping).items():
        route = inspection.nginx.route_to_file(mapping, files[0])
        if route is None or route.scope is None or route.answer.kind != "file":
            continue
        kind = content_type(route.scope, mapping.folder + files[0]).partition(";")[0]
        if _COMPRESSED.match(kind) and (cause := _cause(route.scope, kind)):
            yield _without_ranges(mapping, ending, files, kind, cause)
            return


def _cause(scope: Scope, kind: str) -> tuple[str, str] | None:
    """The directive that takes the ranges of a type, and its fix."""
    for line in scope.inherited("max_ranges"):
        if line.args[0] == "0":
            return (
                f"{line.place}: max_ranges 0;",
                f"{line.place}: remove max_ranges 0; then reload nginx.",
            )
    for name in _FILTERS:
        is_on = scope.argument(name, "off") == "on"
        for line in scope.inherited(f"{name}_types") if is_on else ():
            if kind in line.args or "*" in line.args:
                written = "*" if "*" in line.args else kind
                what = f"{line.place}: {line.name} has {written}, and {name} is on"
                fix = f"remove {kind} from {line.name}"
                if written == "*":
                    fix = f"name the types in place of *: {line.name} {_TEXTS}"
                return what, f"{line.place}: {fix}; then reload nginx."
    return None


_TEXTS = (
    "text/plain text/css text/xml text/javascript application/javascript application/json"
    " image/svg+xml application/wasm"
)


def _without_ranges(
    mapping: LocationMapping, ending: str, files: list[str], kind: str, cause: tuple[str, str]
) -> RuleResult:
    evidence, fix = cause
    return warning(
        f".{ending} files of {mapping} are sent without ranges: players cannot seek, downloads"
        " cannot be resumed.",
        f"{mapping.prefix}{files[0]} is {kind}",
        evidence,
        fix=fix,
    )


RULE = Rule(
    id="range-loss",
    summary="Video, audio and downloads are sent without ranges.",
    severity="warning",
    help=(
        "A response that is compressed on the fly has no length and no ranges: players cannot seek,"
        " and downloads restart. Keep types that are already compressed out of gzip_types."
    ),
    reads=("configuration", "files"),
    check=check,
)
