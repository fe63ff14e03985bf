"""`location /static/ { root /srv/static; }`: root appends the whole URI, so the prefix doubles."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, error


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each location whose root ends with its own prefix."""
    for mapping in inspection.mappings:
        if mapping.repeats_prefix and inspection.inventory(mapping.path) is None:
            yield error(
                f"{mapping} maps to {mapping.folder}, which does not exist: root appends the"
                " whole URI.",
                mapping.evidence,
                f"{mapping.prefix}NAME is looked up as {mapping.folder}NAME",
                *_last_error(inspection, mapping),
                fix=f"{mapping.place}: replace root with alias {quote(_with_slash(mapping.root))};"
                " then reload nginx.",
                apply_fixes=mapping.is_restored_by_apply,
            )


def _last_error(inspection: HostInspection, mapping: LocationMapping) -> list[str]:
    lines = [line for line in inspection.nginx.error_lines if line.path.startswith(mapping.folder)]
    return [str(line) for line in lines[-1:]]


def _with_slash(path: str) -> str:
    return path.rstrip("/") + "/"


RULE = Rule(
    id="root-doubling",
    summary="root repeats the location's own prefix in the path.",
    severity="error",
    help=(
        "root appends the whole URI, the prefix of the location included, so a root that "
        "ends with it names a folder that does not exist. Use alias, or the folder above."
    ),
    reads=("configuration", "files"),
    guide_rows=("CC1", "DB4", "CL1", "CL2"),
    yaml_key="locations",
    check=check,
)
