"""Files that begin with a dot (.env, .git) are served."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from reconcile.doctor.evidence import examples
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, check_each, error, warning
from reconcile.nginx.routing.uri import escaped

CANDIDATES = (".env", ".git/HEAD")


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    return check_each(inspection.mappings, partial(_exposed, inspection))


def _exposed(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    if mapping.is_internal or not mapping.prefix.endswith("/"):
        return
    real = [name for name in _real(inspection, mapping) if _is_served(inspection, mapping, name)]
    if real:
        yield error(
            f"{mapping} gives away hidden files.",
            f"served: {examples([mapping.prefix + name for name in real])}",
            mapping.evidence,
            fix=_fix(mapping),
            by_apply=mapping.is_restored_by_apply,
        )
    elif mapping.role != "other":
        yield from _possible(inspection, mapping)


def _possible(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    would = [name for name in CANDIDATES if _is_served(inspection, mapping, name)]
    if would:
        yield warning(
            f"{mapping} would give away hidden files, were there any.",
            f"{mapping.place}: nothing refuses {mapping.prefix}{would[0]}",
            fix=_fix(mapping),
            by_apply=mapping.is_restored_by_apply,
        )


def _real(inspection: HostInspection, mapping: LocationMapping) -> list[str]:
    found = inspection.inventory(mapping.path)
    files = found.of_kind("file") if found else ()
    return [item.path for item in files if _is_hidden(item.path)][:200]


def _is_hidden(path: str) -> bool:
    # RFC 8615 makes .well-known public.
    return any(part.startswith(".") and part != ".well-known" for part in path.split("/"))


def _is_served(inspection: HostInspection, mapping: LocationMapping, name: str) -> bool:
    path = mapping.folder + name
    uri = mapping.prefix + escaped(name)
    route = inspection.route(mapping.server, uri, inspection.disk_with(path), mapping.host)
    return route is not None and route.answer.kind == "file" and route.answer.path == path


def _fix(mapping: LocationMapping) -> str:
    return (
        f"{mapping.scope.directive.place}: put location ~ /\\.(?!well-known/) {{ return 404; }}"
        " inside it, then reload nginx."
    )


RULE = Rule("dotfile-exposure", (), check)
