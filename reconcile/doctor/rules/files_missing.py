"""The app's static files were not copied to the served folder, or have changed since."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from reconcile.doctor.app_introspection.app_facts import AppFacts
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, error, warning
from reconcile.doctor.upstream_apps import static_folders
from reconcile.filesystem.path import is_inside
from reconcile.filesystem.permissions import PermissionPolicy
from reconcile.filesystem.sync.sync_diff import SyncDiff, SyncRequest
from reconcile.wording import counted, first_few

_ANY_PERMISSIONS = PermissionPolicy(0, 0, 0o644, 0o755)


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Compare each static folder with its source, by content; owners and modes do not count."""
    for mapping in inspection.mappings_of("static"):
        source = _source_folder(inspection, mapping)
        if source and inspection.inventory(mapping.path) is not None:
            request = SyncRequest(source, mapping.path, _ANY_PERMISSIONS)
            yield from _differences(mapping, source, inspection.host.files.diff(request))
        yield from _never_collected(inspection, mapping)


def _source_folder(inspection: HostInspection, mapping: LocationMapping) -> str:
    """The source of the files: as declared, else the app's static folder; "" where unknown."""
    if mapping.declared and mapping.declared.source:
        return mapping.declared.source
    facts = inspection.app_facts(mapping.server)
    folder = facts.static_folder if facts and _is_app_static(facts, mapping) else None
    if folder and inspection.inventory(folder) is not None:
        return "" if inspection.is_same(folder, mapping.path) else folder
    folders = (
        folder
        for app in inspection.apps_behind(mapping.server)
        for folder in static_folders(inspection, app)
    )
    return next((one for one in folders if not inspection.is_same(one, mapping.path)), "")


def _is_app_static(facts: AppFacts, mapping: LocationMapping) -> bool:
    """Whether the app links to its static files at the prefix of this location."""
    return facts.static_url is not None and mapping.prefix.rstrip("/") == facts.static_url


def _never_collected(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    """Django collects into STATIC_ROOT, which does not exist."""
    app, facts = inspection.declared_app(mapping.server), inspection.app_facts(mapping.server)
    if not facts or not facts.static_folder or not app or not app.code:
        return
    is_django = app.code.framework == "django" and _is_app_static(facts, mapping)
    if is_django and inspection.inventory(facts.static_folder) is None:
        yield error(
            f"{facts.static_folder} does not exist: the app's static files were never collected.",
            f"{app.code.name}: STATIC_ROOT = {facts.static_folder}",
            mapping.evidence,
            fix=f"Set STATIC_ROOT to {quote(mapping.path)}, then: python manage.py collectstatic",
        )


def _differences(mapping: LocationMapping, source: str, diff: SyncDiff) -> Iterator[RuleResult]:
    missing = [copy.path for copy in diff.copies if copy.is_new]
    changed = [copy.path for copy in diff.copies if not copy.is_new]
    is_declared = mapping.declared is not None and mapping.declared.source == source
    copy_all = f"cp -r {quote(source + '/.')} {quote(mapping.path + '/')}"
    if source != mapping.path and is_inside(source, mapping.path):
        # The folder above was mapped in its place.
        copy_all = mapping.edit_to(source)
    fix = "reconcile apply" if is_declared else copy_all
    if missing:
        yield error(
            f"{mapping.path} lacks {counted(len(missing), 'static file')} of the app.",
            f"only in {source}: {first_few(missing)}",
            mapping.evidence,
            fix=fix,
            apply_fixes=is_declared,
        )
    if changed:
        yield warning(
            f"{mapping.path} has {counted(len(changed), 'file')} with other content than {source}.",
            f"different: {first_few(changed)}",
            fix=fix,
            apply_fixes=is_declared,
        )


RULE = Rule(
    id="files-missing",
    summary="The app's static files are missing or outdated in the served folder.",
    severity="error",
    help=(
        "Pages load without styles or scripts, or with those of an earlier release. Copy "
        "the app's static files at each deployment."
    ),
    reads=("configuration", "files", "app"),
    guide_rows=("CC3", "DB8", "DB12", "CL3"),
    check=check,
)
