"""The app saves uploads in another folder than the one that nginx serves."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from reconcile.doctor.inspection import HostInspection, UpstreamApp
from reconcile.doctor.rule import Rule, RuleResult, error
from reconcile.doctor.upload_settings import (
    UploadSetting,
    settings_from_environment,
    settings_from_source,
)
from reconcile.nginx.routing.servers import Server

MOST_FILES = 50
MOST_BYTES = 256 << 10


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    for server in {id(one.server): one.server for one in inspection.mappings_of("media")}.values():
        media = [one for one in inspection.mappings_of("media") if one.server is server]
        for app, setting in upload_settings(inspection, server):
            if not any(_is_in(inspection, setting.folder, one.path) for one in media):
                yield error(
                    f"{app} saves uploads in {setting.folder}, nginx serves {media[0].path}.",
                    f"{setting.place}: {setting.name} = {setting.folder}",
                    media[0].evidence,
                    fix=f"Set {setting.name} to {quote(media[0].path)}, then: systemctl"
                    f" restart {app}",
                )


def upload_settings(
    inspection: HostInspection, server: Server
) -> Iterator[tuple[str, UploadSetting]]:
    """Where the app behind `server` saves: by its own word, else by its environment and source."""
    said, facts = inspection.declared_app(server), inspection.app_facts(server)
    if said and said.code and facts:
        for name, folder in facts.folders.items():
            yield (
                said.service or said.site,
                UploadSetting(name, folder, f"{said.code.name}, imported"),
            )
        return
    for app in inspection.apps_behind(server):
        for setting in _settings(inspection, app):
            yield app.unit.name, setting


def _settings(inspection: HostInspection, app: UpstreamApp) -> Iterator[UploadSetting]:
    """What the unit's environment says, else what the app's source says outright."""
    said = list(settings_from_environment(app.unit.name, app.unit.environment))
    if said:
        yield from said
        return
    folder = app.unit.working_directory
    if not folder.startswith("/") or folder == "/":
        return
    files = inspection.host.files
    paths = [path for deep in ("", "/*") for path in files.glob(f"{folder}{deep}/*.py")]
    for path in paths[:MOST_FILES]:
        found = files.stat(path)
        if found and found.kind == "file" and found.size <= MOST_BYTES:
            yield from settings_from_source(path, files.read(path))


def _is_in(inspection: HostInspection, folder: str, served: str) -> bool:
    """Whether `folder` is what is served, or lies below; by inode, so links do not matter."""
    if f"{folder.rstrip('/')}/".startswith(served + "/"):
        return True
    stats = [inspection.host.files.stat(path, follow=True) for path in (folder, served)]
    return None not in stats and len({(found.dev, found.ino) for found in stats if found}) == 1


RULE = Rule("upload-dir-mismatch", ("CC4", "CL4", "DB15"), check)
