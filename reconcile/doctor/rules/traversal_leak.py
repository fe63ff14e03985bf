"""`location /static { alias /srv/static/; }`: `/static../app.py` is served from the parent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, error, note
from reconcile.filesystem.inventory import sample_files
from reconcile.wording import first_few

MOST_EXPOSED = 20


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each alias that exposes a file outside of it, a note if it only could."""
    for mapping in inspection.mappings:
        if mapping.is_alias and not mapping.prefix.endswith("/") and not mapping.is_internal:
            yield _open_alias(mapping, _exposed_files(inspection, mapping))


def _exposed_files(inspection: HostInspection, mapping: LocationMapping) -> list[str]:
    """The URLs of files outside of the folder that nginx can read."""
    above, _, name = mapping.path.rpartition("/")
    if mapping.folder.endswith("/"):
        # A URL is normalised before it is matched: "/static../a", not "/static/../a".
        files = (f"../{one}" for one in _parent_files(inspection, above or "/", name))
    else:
        files = (one.removeprefix(name) for one in _siblings(inspection, above, name))
    disk = inspection.nginx.disk
    return [mapping.prefix + one for one in files if disk.kind(mapping.folder + one) == "file"]


def _parent_files(inspection: HostInspection, above: str, name: str) -> Iterator[str]:
    """Some files of the folder above, without those of the served folder itself."""
    hidden = inspection.host.files.glob(f"{above.rstrip('/')}/.?*")[:MOST_EXPOSED]
    yield from (path.rpartition("/")[2] for path in hidden)
    with suppress(OSError):
        found = sample_files(above, MOST_EXPOSED)
        yield from (one for one in found if not one.startswith(f"{name}/"))


def _siblings(inspection: HostInspection, above: str, name: str) -> Iterator[str]:
    """Files beside the folder, or in folders there, whose name begins with its own."""
    files = inspection.host.files
    for path in files.glob(f"{above}/{name}?*")[:MOST_EXPOSED]:
        beside = path.rpartition("/")[2]
        found = files.stat(path, follow=True)
        if found and found.kind == "directory":
            with suppress(OSError):
                yield from (f"{beside}/{one}" for one in sample_files(path, MOST_EXPOSED))
        else:
            yield beside


def _open_alias(mapping: LocationMapping, exposed: list[str]) -> RuleResult:
    pattern = (
        f"{mapping.prefix}../NAME is served from the parent of {mapping.path}"
        if mapping.folder.endswith("/")
        else f"{mapping.prefix}NAME is served from {mapping.folder}NAME, next to the folder"
    )
    scope = mapping.scope
    location = " ".join(filter(None, ("location", scope.modifier, f"{mapping.prefix}/")))
    evidence = (
        f"{scope.directive.place}: {scope}",
        f"{mapping.place}: alias {mapping.folder};",
        f"served: {first_few(exposed)}" if exposed else pattern,
    )
    fix = f"{scope.directive.place}: {location} {{ alias {mapping.path}/; … }}, then reload nginx."
    verb, severity = ("exposes", error) if exposed else ("would expose", note)
    return severity(
        f"{mapping} {verb} files outside of {mapping.path}.",
        *evidence,
        fix=fix,
        apply_fixes=mapping.is_restored_by_apply,
    )


RULE = Rule(
    id="traversal-leak",
    summary="An alias exposes files outside of its folder.",
    severity="error",
    help=(
        "A prefix without a slash also matches longer names, which nginx joins to the "
        "alias: files beside the folder, or above it, are served. End both with a slash."
    ),
    reads=("configuration", "files"),
    guide_rows=("CC2",),
    yaml_key="locations",
    check=check,
)
