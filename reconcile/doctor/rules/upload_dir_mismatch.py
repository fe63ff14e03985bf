"""The app saves uploads in another folder than the one that nginx serves."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.evidence import quoted
from reconcile.doctor.inspection import App, HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error
from reconcile.doctor.upload_settings import Setting, of_environment, of_source
from reconcile.nginx.routing.servers import Server

MOST_FILES = 50
MOST_BYTES = 256 << 10


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    for server in {id(one.server): one.server for one in snapshot.of_role("media")}.values():
        media = [one for one in snapshot.of_role("media") if one.server is server]
        for app, setting in saving(snapshot, server):
            if not any(_is_in(snapshot, setting.folder, one.path) for one in media):
                yield error(
                    f"{app} saves uploads in {setting.folder}, nginx serves {media[0].path}.",
                    f"{setting.place}: {setting.name} = {setting.folder}",
                    f"{media[0].place}: {media[0].directive.name} {media[0].directive.args[0]};",
                    fix=f"Set {setting.name} to {quoted(media[0].path)}, then: systemctl"
                    f" restart {app}",
                )


def saving(snapshot: HostInspection, server: Server) -> Iterator[tuple[str, Setting]]:
    """Where the app behind `server` saves: by its own word, else by its environment and source."""
    said, facts = snapshot.declared_app(server), snapshot.facts_of(server)
    if said and said.code and facts:
        for name, folder in facts.folders.items():
            yield said.service or said.site, Setting(name, folder, f"{said.code.name}, imported")
        return
    for app in snapshot.apps_of(server):
        for setting in _settings(snapshot, app):
            yield app.unit.name, setting


def _settings(snapshot: HostInspection, app: App) -> Iterator[Setting]:
    """What the unit's environment says, else what the app's source says outright."""
    said = list(of_environment(app.unit.name, app.unit.environment))
    if said:
        yield from said
        return
    folder = app.unit.working_directory
    if not folder.startswith("/") or folder == "/":
        return
    files = snapshot.host.files
    paths = [path for deep in ("", "/*") for path in files.glob(f"{folder}{deep}/*.py")]
    for path in paths[:MOST_FILES]:
        found = files.stat(path)
        if found and found.kind == "file" and found.size <= MOST_BYTES:
            yield from of_source(path, files.read(path))


def _is_in(snapshot: HostInspection, folder: str, served: str) -> bool:
    """Whether `folder` is what is served, or lies below; by inode, so links do not matter."""
    if f"{folder.rstrip('/')}/".startswith(served + "/"):
        return True
    stats = [snapshot.host.files.stat(path, follow=True) for path in (folder, served)]
    return None not in stats and len({(found.dev, found.ino) for found in stats if found}) == 1


RULE = Rule("upload-dir-mismatch", ("CC4", "CL4", "DB15"), look)
