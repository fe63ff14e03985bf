"""`location ^~ /static/`: no `location ~ /\\.` outside of it hides its .env or .git."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, check_each, error, warning
from reconcile.wording import first_few

CANDIDATES = (".env", ".git/HEAD")


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for hidden files that are served, a warning where they would be."""
    return check_each(inspection.mappings, partial(_check_location, inspection))


def _check_location(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    exposed = [
        name for name in _hidden_files(inspection, mapping) if _is_served(inspection, mapping, name)
    ]
    if exposed:
        yield error(
            f"{mapping} exposes dotfiles.",
            f"served: {first_few([mapping.prefix + name for name in exposed])}",
            mapping.evidence,
            fix=_fix(mapping),
            apply_fixes=mapping.is_restored_by_apply,
        )
    elif mapping.role != "other":
        yield from _check_candidates(inspection, mapping)


def _check_candidates(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    exposed = [name for name in CANDIDATES if _is_served(inspection, mapping, name)]
    if exposed:
        yield warning(
            f"{mapping} would expose dotfiles, if there were any.",
            f"{mapping.place}: nothing denies {mapping.prefix}{exposed[0]}",
            fix=_fix(mapping),
            apply_fixes=mapping.is_restored_by_apply,
        )


def _hidden_files(inspection: HostInspection, mapping: LocationMapping) -> list[str]:
    found = inspection.inventory(mapping.path)
    files = found.of_kind("file") if found else ()
    return [item.path for item in files if _is_hidden(item.path)][:200]


def _is_hidden(path: str) -> bool:
    # RFC 8615 makes .well-known public.
    return any(part.startswith(".") and part != ".well-known" for part in path.split("/"))


def _is_served(inspection: HostInspection, mapping: LocationMapping, name: str) -> bool:
    route = inspection.nginx.route_to_file(mapping, name)
    served = route.answer.path if route and route.answer.kind == "file" else ""
    return served == mapping.folder + name


def _fix(mapping: LocationMapping) -> str:
    return (
        f"{mapping.scope.directive.place}: add location ~ /\\.(?!well-known/) {{ return 404; }}"
        " inside it, then reload nginx."
    )


RULE = Rule(
    id="dotfile-exposure",
    summary="Hidden files such as .env are served.",
    severity="error",
    help=(
        "Hidden files hold passwords, keys and history, and scanners request them by "
        "name. Deny them, and replace what they held."
    ),
    reads=("configuration", "files"),
    check=check,
)
