"""open_file_cache: nginx goes on with files that were replaced, and denies those that came."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, warning
from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.model.sizes import parse_seconds
from reconcile.wording import first_few

DEFAULT_S = 60
_FIX = "open_file_cache_valid 10s; open_file_cache_errors off;"


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a warning for each cache that outlives a deployment, or remembers missing files."""
    by_cache: dict[Directive, list[LocationMapping]] = {}
    for mapping in inspection.mappings:
        cache = _cache(mapping.scope)
        if cache and _faults(mapping):
            by_cache.setdefault(cache, []).append(mapping)
    for cache, mappings in by_cache.items():
        yield _stale(cache, mappings)


def _cache(scope: Scope) -> Directive | None:
    found = scope.inherited("open_file_cache")
    return found[0] if found and found[0].args[0] != "off" else None


def _valid_s(scope: Scope) -> int:
    written = parse_seconds(scope.argument("open_file_cache_valid", ""))
    return DEFAULT_S if written is None else written


def _faults(mapping: LocationMapping) -> list[str]:
    """What visitors get: files that were replaced, and 404 for those that are new."""
    scope, faults = mapping.scope, list[str]()
    valid_s = _valid_s(scope)
    if valid_s > DEFAULT_S:
        faults.append(f"files that were replaced are sent as they were, for up to {valid_s} s")
    is_remembered = scope.argument("open_file_cache_errors", "off") == "on"
    if is_remembered and (valid_s >= DEFAULT_S):
        faults.append(f"a file that was missing once stays 404, for up to {valid_s} s")
    return faults


def _stale(cache: Directive, mappings: list[LocationMapping]) -> RuleResult:
    scope = mappings[0].scope
    settings = [
        f"{one.place}: {one.name} {' '.join(one.args)};"
        for name in ("open_file_cache_valid", "open_file_cache_errors")
        for one in scope.inherited(name)
    ]
    return warning(
        f"nginx does not notice new files below {first_few([str(one) for one in mappings])}.",
        f"{cache.place}: open_file_cache {' '.join(cache.args)};",
        *settings,
        *_faults(mappings[0]),
        fix=f"{cache.place}: {_FIX} in place of what it has, then reload nginx. Until then, after"
        " each deployment: systemctl reload nginx",
    )


RULE = Rule(
    id="open-file-cache",
    summary="nginx sends files that were replaced, and answers 404 for new ones.",
    severity="warning",
    help=(
        "For as long as open_file_cache_valid, nginx does not check whether a file has changed, "
        "or has come. Lower it, or reload nginx after each deployment."
    ),
    reads=("configuration", "files"),
    check=check,
)
