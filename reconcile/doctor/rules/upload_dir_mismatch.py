"""The app saves uploads in another folder than the one that nginx serves."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.evidence import quoted
from reconcile.doctor.model import Rule, Said, error
from reconcile.doctor.settings import Setting, of_environment, of_source
from reconcile.doctor.snapshot import App, Snapshot

MOST_FILES = 50
MOST_BYTES = 256 << 10


def look(snapshot: Snapshot) -> Iterator[Said]:
    for app in snapshot.apps:
        for server in app.servers:
            media = [one for one in snapshot.of_role("media") if one.server is server]
            if media:
                for setting in _settings(snapshot, app):
                    if not any(_is_in(snapshot, setting.folder, one.path) for one in media):
                        yield error(
                            f"{app.unit.name} saves uploads in {setting.folder},"
                            f" nginx serves {media[0].path}.",
                            f"{setting.place}: {setting.name} = {setting.folder}",
                            f"{media[0].place}: {media[0].directive.name}"
                            f" {media[0].directive.args[0]};",
                            fix=f"Set {setting.name} to {quoted(media[0].path)},"
                            f" then: systemctl restart {app.unit.name}",
                        )


def _settings(snapshot: Snapshot, app: App) -> Iterator[Setting]:
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


def _is_in(snapshot: Snapshot, folder: str, served: str) -> bool:
    """Whether `folder` is what is served, or lies below; by inode, so links do not matter."""
    if f"{folder.rstrip('/')}/".startswith(served + "/"):
        return True
    stats = [snapshot.host.files.stat(path, follow=True) for path in (folder, served)]
    return None not in stats and len({(found.dev, found.ino) for found in stats if found}) == 1


RULE = Rule("upload-dir-mismatch", ("CC4", "CL4", "DB15"), look)
