"""Reads files, folders and apps of the real host; see `host_readings.Inspector`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cached_property
from posixpath import join

from reconcile.adopt.host_readings import FoundApp, FoundFile, FoundFolder, FoundGunicorn
from reconcile.config.fields.field_type import InvalidValue
from reconcile.config.owner import parse_dirs_mode, parse_files_mode
from reconcile.config.site.location import HEALTH_FILE
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.upstream import socket_path
from reconcile.doctor.upstream_apps import UpstreamApp, accepts_connections
from reconcile.errors import ReconcileError
from reconcile.filesystem.inode import Stat
from reconcile.filesystem.inventory import Inventory, inventory
from reconcile.nginx.routing.servers import Server
from reconcile.nginx.running.loaded_config import real_path
from reconcile.resources.gunicorn_units import HEADER
from reconcile.system import Host

_MOST_ITEMS = 50_000
_COMMAND = re.compile(r"^ExecStart=(\S+) -m gunicorn --workers (\d+) .*?(\S+)$", re.MULTILINE)
_DIRECTORY = re.compile(r"^WorkingDirectory=(.+)$", re.MULTILINE)


class HostInspector:
    """The inspector of a real host. Errors: ReconcileError and OSError for what cannot be read."""

    def __init__(self, host: Host, inspection: HostInspection) -> None:
        self._host = host
        self._inspection = inspection
        self._folders: dict[str, FoundFolder | None] = {}

    def real(self, path: str) -> str:
        """Return the target of a link in the include tree; other paths unchanged."""
        return real_path(self._host, path)

    def file(self, path: str) -> FoundFile | None:
        """Read a file; None where there is none."""
        found = self._host.files.content(path)
        if found is None:
            return None
        stat, data = found
        names = self._host.accounts
        return FoundFile(data, names.user_name(stat.uid), names.group_name(stat.gid), stat.mode)

    def folder(self, path: str) -> FoundFolder | None:
        """Read a folder once; None where there is none."""
        if path not in self._folders:
            self._folders[path] = self._read_folder(path)
        return self._folders[path]

    def _read_folder(self, path: str) -> FoundFolder | None:
        root = self._host.files.stat(path, follow=True)
        if root is None or root.kind != "directory":
            return None
        found = inventory(path, _MOST_ITEMS)
        if found.unreadable:
            raise ReconcileError(f"{join(path, found.unreadable[0])} cannot be listed by this user")
        return _summarize(root, found, self._host)

    def app(self, server: Server, target: str) -> FoundApp:
        """Find the one service that listens at `target`; empty where it is ambiguous."""
        apps = [app for app in self._inspection.apps_behind(server) if self._is_at(app, target)]
        known = [app for app in apps if app.unit.name in self._inspection.units]
        if len(known) != 1:
            return FoundApp(problem=self._why_unknown(target) if not apps else "")
        [app] = known
        return FoundApp(app.unit.name, app.account.name, self._gunicorn(app))

    def _is_at(self, app: UpstreamApp, target: str) -> bool:
        """Whether this app listens at `target`, where a server has several apps."""
        others = [one for one in self._inspection.apps if set(one.servers) & set(app.servers)]
        words = f"{app.unit.command} {self._sockets.get(app.unit.name, '')}"
        pids = self._inspection.listeners(target)
        return (
            len(others) == 1
            or app.unit.main_pid in pids
            or (socket_path(target) or target) in words
        )

    @cached_property
    def _sockets(self) -> dict[str, str]:
        """Service → listen addresses of the sockets that activate it."""
        units = self._inspection.units.values()
        return {
            service: unit.properties.get("Listen", "")
            for unit in units
            for service in unit.words("Triggers")
        }

    def _why_unknown(self, target: str) -> str:
        listened = accepts_connections(target)
        if listened and not self._host.privileged:
            return f"only root can see which process listens at {target}"
        return ""

    def _gunicorn(self, app: UpstreamApp) -> FoundGunicorn | None:
        """The settings of a unit that reconcile wrote; None for any other unit."""
        path = app.unit.properties.get("FragmentPath", "")
        found = self._host.files.content(path) if path else None
        text = found[1].decode("utf-8", "replace") if found else ""
        command, directory = _COMMAND.search(text), _DIRECTORY.search(text)
        if not text.startswith(HEADER) or not command or not directory:
            return None
        python, workers, module = command.groups()
        return FoundGunicorn(directory[1], python, module.strip('"'), int(workers))


def _summarize(root: Stat, found: Inventory, host: Host) -> FoundFolder:
    kinds = ("directory", "file")
    stats = [root, *(item.stat for item in found.items if item.stat.kind in kinds)]
    (uid, gid), _ = Counter((one.uid, one.gid) for one in stats).most_common(1)[0]
    files = [item.path for item in found.of_kind("file")]
    plain = (path for path in files if not path.rpartition("/")[2].startswith("."))
    return FoundFolder(
        user=host.accounts.user_name(uid),
        group=host.accounts.group_name(gid),
        dirs=_most_common(stats, "directory", parse_dirs_mode),
        files=_most_common(stats, "file", parse_files_mode),
        sample=next(plain, ""),
        has_health_file=HEALTH_FILE in files,
    )


def _most_common(stats: list[Stat], kind: str, parse: Callable[[str], int]) -> int | None:
    """The most common mode that the YAML allows; None where there is none."""
    counted = Counter(one.mode for one in stats if one.kind == kind)
    return next(_allowed(counted, parse), None)


def _allowed(counted: Counter[int], parse: Callable[[str], int]) -> Iterator[int]:
    for mode, _ in counted.most_common():
        try:
            yield parse(f"{mode:04o}")
        except InvalidValue:
            continue
