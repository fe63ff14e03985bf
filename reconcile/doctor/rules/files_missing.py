"""The app's static files were never copied to where nginx looks, or are older ones."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote
from typing import TYPE_CHECKING

from reconcile.doctor.evidence import counted, examples
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, error, warning

if TYPE_CHECKING:
    from reconcile.doctor.application.facts import AppFacts
    from reconcile.filesystem.sync.sync_diff import SyncDiff

USUAL_FOLDERS = ("static", "app/static", "src/static")


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    for mapping in inspection.mappings_of("static"):
        source = source_folder(inspection, mapping)
        if source and inspection.inventory(mapping.path) is not None:
            yield from _compared(mapping, source, sync_diff(inspection, mapping, source))
        yield from _never_collected(inspection, mapping)


def source_folder(inspection: HostInspection, mapping: LocationMapping) -> str:
    """Where the files of a location come from: as declared, else as the app has them; or ""."""
    if mapping.declared and mapping.declared.source:
        return mapping.declared.source
    facts = inspection.app_facts(mapping.server)
    told = facts.static_folder if facts and is_app_static(facts, mapping) else None
    if told and inspection.inventory(told) is not None:
        return "" if _same(inspection, told, mapping.path) else told
    for app in inspection.apps_behind(mapping.server):
        for usual in USUAL_FOLDERS:
            folder = f"{app.unit.working_directory}/{usual}"
            found = folder.startswith("/") and inspection.host.files.stat(folder, follow=True)
            if found and found.kind == "directory" and not _same(inspection, folder, mapping.path):
                return folder
    return ""


def is_app_static(facts: AppFacts, mapping: LocationMapping) -> bool:
    """Whether the app means these very URLs with its static files."""
    return facts.static_url is not None and mapping.prefix.rstrip("/") == facts.static_url


def _same(inspection: HostInspection, one: str, other: str) -> bool:
    stats = [inspection.host.files.stat(path, follow=True) for path in (one, other)]
    ids = {(found.dev, found.ino) for found in stats if found}
    return len(ids) == 1 and None not in stats


def sync_diff(inspection: HostInspection, mapping: LocationMapping, source: str) -> SyncDiff:
    """How the served folder differs from its source, by content; owners and modes set aside."""
    from reconcile.filesystem.permissions import PermissionPolicy as ModeRule
    from reconcile.filesystem.sync.sync_diff import SyncRequest

    return inspection.host.files.diff(
        SyncRequest(source, mapping.path, ModeRule(0, 0, 0o644, 0o755))
    )


def _never_collected(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    """Django gathers its files in STATIC_ROOT, and nginx serves another folder, or none is made."""
    said, facts = inspection.declared_app(mapping.server), inspection.app_facts(mapping.server)
    if not facts or not facts.static_folder or not said or not said.code:
        return
    is_django = said.code.framework == "django" and is_app_static(facts, mapping)
    if is_django and inspection.inventory(facts.static_folder) is None:
        yield error(
            f"{facts.static_folder} is not there: the app's static files were never collected.",
            f"{said.code.name}: STATIC_ROOT = {facts.static_folder}",
            mapping.evidence,
            fix=f"Set STATIC_ROOT to {quote(mapping.path)}, then: python manage.py collectstatic",
        )


def _compared(mapping: LocationMapping, source: str, found: SyncDiff) -> Iterator[RuleResult]:
    missing = [copy.path for copy in found.copies if copy.is_new]
    changed = [copy.path for copy in found.copies if not copy.is_new]
    by_apply = mapping.declared is not None and mapping.declared.source == source
    fix = (
        "reconcile apply"
        if by_apply
        else f"cp -r {quote(source + '/.')} {quote(mapping.path + '/')}"
    )
    if missing:
        yield error(
            f"{len(missing)} of the app's static files are not in {mapping.path}.",
            f"in {source} and not served: {examples(missing)}",
            mapping.evidence,
            fix=fix,
            by_apply=by_apply,
        )
    if changed:
        yield warning(
            f"{mapping.path} has {counted(changed, 'file')} other than the app's.",
            f"other content in {source}: {examples(changed)}",
            fix=fix,
            by_apply=by_apply,
        )


RULE = Rule("files-missing", ("CC3", "DB8", "DB12", "CL3"), check)
