"""The app saves uploads in one folder, nginx serves another: every upload returns 404."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error
from reconcile.doctor.upload_settings import (
    UploadSetting,
    settings_from_environment,
    settings_from_source,
)
from reconcile.doctor.upstream_apps import UpstreamApp
from reconcile.filesystem.path import is_inside
from reconcile.nginx.routing.servers import Server

MAX_FILES = 50
MAX_BYTES = 256 << 10


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each upload folder of an app that no media location serves."""
    media = inspection.mappings_of("media")
    for server in dict.fromkeys(one.server for one in media):
        served = [one for one in media if one.server is server]
        for app, setting in upload_settings(inspection, server):
            if not any(_is_served(inspection, setting.folder, one.path) for one in served):
                yield error(
                    f"{app} saves uploads in {setting.folder}, but nginx serves {served[0].path}.",
                    f"{setting.place}: {setting.name} = {setting.folder}",
                    served[0].evidence,
                    fix=f"Set {setting.name} to {quote(served[0].path)}, then: systemctl"
                    f" restart {app}",
                )


def upload_settings(
    inspection: HostInspection, server: Server
) -> Iterator[tuple[str, UploadSetting]]:
    """The upload folders of the app behind `server`: imported, else of its unit or source."""
    app, facts = inspection.declared_app(server), inspection.app_facts(server)
    if app and app.code and facts:
        for name, folder in facts.folders.items():
            yield app.service or app.site, UploadSetting(name, folder, f"{app.code.name}, imported")
        return
    for one in inspection.apps_behind(server):
        for setting in _unimported_settings(inspection, one):
            yield one.unit.name, setting


def _unimported_settings(inspection: HostInspection, app: UpstreamApp) -> Iterator[UploadSetting]:
    """The settings in the unit's environment, else those in the app's source."""
    found = list(settings_from_environment(app.unit.name, app.unit.environment))
    if found:
        yield from found
        return
    folder = app.unit.working_directory
    if not folder.startswith("/") or folder == "/":
        return
    files = inspection.host.files
    paths = [path for deep in ("", "/*") for path in files.glob(f"{folder}{deep}/*.py")]
    for path in paths[:MAX_FILES]:
        stat = files.stat(path)
        if stat and stat.kind == "file" and stat.size <= MAX_BYTES:
            yield from settings_from_source(path, files.read(path))


def _is_served(inspection: HostInspection, folder: str, served: str) -> bool:
    return is_inside(folder.rstrip("/"), served) or inspection.is_same(folder, served)


RULE = Rule(
    id="upload-dir-mismatch",
    summary="The app saves uploads in a folder that nginx does not serve.",
    severity="error",
    help=(
        "Every upload is stored and returns 404. Configure one folder in both the app and nginx."
    ),
    reads=("configuration", "app", "units"),
    guide_rows=("CC4", "CL4", "DB15"),
    check=check,
)
