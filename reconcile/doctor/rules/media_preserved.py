"""A deployment deletes uploads, as `rsync --delete` does, or they are among the static files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from reconcile.doctor.deploy_scripts import Deletion, deletions
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, error, note
from reconcile.filesystem.path import is_inside

MAX_BYTES = 256 << 10
_IN_APP = (
    *("*.sh", "Makefile", "deploy*", "Procfile", "justfile", ".git/hooks/*"),
    *("deploy/*", "scripts/*", "bin/*.sh"),
)
_ON_HOST = (
    *("/etc/crontab", "/etc/cron.*/*", "/var/spool/cron/crontabs/*"),
    *("/usr/local/bin/*", "/usr/local/sbin/*"),
)


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each script that deletes uploads, a note inside static files."""
    media = [one for one in inspection.mappings_of("media") if not one.is_internal]
    for deletion in _deletions(inspection) if media else ():
        resolved = replace(deletion, target=inspection.real_path(deletion.target))
        for mapping in media:
            if resolved.deletes(inspection.real_path(mapping.path)):
                yield _deleted(inspection, mapping, resolved)
    yield from _inside_static(inspection, media)


def _deleted(
    inspection: HostInspection, mapping: LocationMapping, deletion: Deletion
) -> RuleResult:
    inner = inspection.real_path(mapping.path).removeprefix(deletion.target).strip("/")
    option = "-e " if deletion.command.startswith("git") else "--exclude="
    return error(
        f"A deployment deletes the uploads in {mapping.path}.",
        f"{deletion.place}: {deletion.command}",
        mapping.evidence,
        fix=f"Exclude them ({option}{inner}/), or move the uploads out of the folder."
        if inner
        else "Move the uploads to a folder that no deployment changes.",
    )


def _inside_static(
    inspection: HostInspection, media: Sequence[LocationMapping]
) -> Iterator[RuleResult]:
    for mapping in media:
        for static in inspection.mappings_of("static"):
            if static.server is mapping.server and is_inside(mapping.path, static.path):
                yield note(
                    f"Uploads are in {mapping.path}, inside the static files in {static.path}.",
                    static.evidence,
                    mapping.evidence,
                    fix="Separate them: each deployment replaces the static files.",
                )


def _deletions(inspection: HostInspection) -> Iterator[Deletion]:
    """Of the units, cron tables and programs of this host, and the scripts beside the app."""
    for unit in inspection.units.values():
        place = unit.properties.get("FragmentPath") or unit.name
        yield from deletions(place, unit.command, unit.working_directory)
    folders = {app.unit.working_directory for app in inspection.apps} - {"", "/"}
    for pattern in _ON_HOST:
        yield from _deletions_in_files(inspection, pattern, "")
    for folder in sorted(folders):
        for name in _IN_APP:
            yield from _deletions_in_files(inspection, f"{folder}/{name}", folder)


def _deletions_in_files(
    inspection: HostInspection, pattern: str, folder: str
) -> Iterator[Deletion]:
    files = inspection.host.files
    for path in files.glob(pattern):
        found = files.stat(path, follow=True)
        if found and found.kind == "file" and found.size <= MAX_BYTES:
            text = files.read(path).decode("utf-8", "surrogateescape")
            yield from deletions(path, text, folder)


RULE = Rule(
    id="media-preserved",
    summary="A deployment deletes uploads.",
    severity="error",
    help=(
        "A script of this host deletes what people uploaded. Exclude the folder, or move "
        "it out of the script's reach."
    ),
    reads=("configuration", "files", "units"),
    guide_rows=("CL10",),
    check=check,
)
