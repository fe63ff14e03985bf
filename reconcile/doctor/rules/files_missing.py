"""The app's static files were never copied to where nginx looks, or are older ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reconcile.doctor.evidence import counted, examples, quoted
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import Mapped
from reconcile.doctor.rule import Rule, RuleResult, error, warning

if TYPE_CHECKING:
    from reconcile.doctor.application.facts import AppFacts
    from reconcile.filesystem.survey import SyncDiff

USUAL_SOURCES = ("static", "app/static", "src/static")


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    for mapped in snapshot.of_role("static"):
        source = source_of(snapshot, mapped)
        if source and snapshot.inventory(mapped.path) is not None:
            yield from _compared(mapped, source, survey(snapshot, mapped, source))
        yield from _never_collected(snapshot, mapped)


def source_of(snapshot: HostInspection, mapped: Mapped) -> str:
    """Where the files of a location come from: as declared, else as the app has them; or ""."""
    if mapped.declared and mapped.declared.source:
        return mapped.declared.source
    facts = snapshot.facts_of(mapped.server)
    told = facts.static_folder if facts and is_of_the_app(facts, mapped) else None
    if told and snapshot.inventory(told) is not None:
        return "" if _same(snapshot, told, mapped.path) else told
    for app in snapshot.apps_of(mapped.server):
        for usual in USUAL_SOURCES:
            folder = f"{app.unit.working_directory}/{usual}"
            found = folder.startswith("/") and snapshot.host.files.stat(folder, follow=True)
            if found and found.kind == "directory" and not _same(snapshot, folder, mapped.path):
                return folder
    return ""


def is_of_the_app(facts: AppFacts, mapped: Mapped) -> bool:
    """Whether the app means these very URLs with its static files."""
    return facts.static_url is not None and mapped.prefix.rstrip("/") == facts.static_url


def _same(snapshot: HostInspection, one: str, other: str) -> bool:
    stats = [snapshot.host.files.stat(path, follow=True) for path in (one, other)]
    ids = {(found.dev, found.ino) for found in stats if found}
    return len(ids) == 1 and None not in stats


def survey(snapshot: HostInspection, mapped: Mapped, source: str) -> SyncDiff:
    """How the served folder differs from its source, by content; owners and modes set aside."""
    from reconcile.filesystem.scan import PermissionPolicy as ModeRule
    from reconcile.filesystem.survey import SyncRequest

    return snapshot.host.files.diff(SyncRequest(source, mapped.path, ModeRule(0, 0, 0o644, 0o755)))


def _never_collected(snapshot: HostInspection, mapped: Mapped) -> Iterator[RuleResult]:
    """Django gathers its files in STATIC_ROOT, and nginx serves another folder, or none is made."""
    said, facts = snapshot.declared_app(mapped.server), snapshot.facts_of(mapped.server)
    if not facts or not facts.static_folder or not said or not said.code:
        return
    is_django = said.code.framework == "django" and is_of_the_app(facts, mapped)
    if is_django and snapshot.inventory(facts.static_folder) is None:
        yield error(
            f"{facts.static_folder} is not there: the app's static files were never collected.",
            f"{said.code.name}: STATIC_ROOT = {facts.static_folder}",
            f"{mapped.place}: {mapped.directive.name} {mapped.directive.args[0]};",
            fix=f"Set STATIC_ROOT to {quoted(mapped.path)}, then: python manage.py collectstatic",
        )


def _compared(mapped: Mapped, source: str, found: SyncDiff) -> Iterator[RuleResult]:
    missing = [copy.path for copy in found.copies if copy.is_new]
    changed = [copy.path for copy in found.copies if not copy.is_new]
    by_apply = mapped.declared is not None and mapped.declared.source == source
    fix = (
        "reconcile apply"
        if by_apply
        else f"cp -r {quoted(source + '/.')} {quoted(mapped.path + '/')}"
    )
    if missing:
        yield error(
            f"{len(missing)} of the app's static files are not in {mapped.path}.",
            f"in {source} and not served: {examples(missing)}",
            f"{mapped.place}: {mapped.directive.name} {mapped.directive.args[0]};",
            fix=fix,
            by_apply=by_apply,
        )
    if changed:
        yield warning(
            f"{mapped.path} has {counted(changed, 'file')} other than the app's.",
            f"other content in {source}: {examples(changed)}",
            fix=fix,
            by_apply=by_apply,
        )


RULE = Rule("files-missing", ("CC3", "DB8", "DB12", "CL3"), look)
