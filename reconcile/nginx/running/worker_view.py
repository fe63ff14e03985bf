"""Files as the nginx worker can access them, now and after a plan."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from posixpath import normpath
from typing import TYPE_CHECKING

from reconcile.errors import ReconcileError
from reconcile.nginx.routing.request import FileKind, LinkRefusal, LinkRule, PathKinds
from reconcile.nginx.running.loaded_config import find_running
from reconcile.system.accounts import Account
from reconcile.system.process_info import (
    capabilities_of,
    ids_of,
    mapped_ids_of,
    root_of,
    unit_of,
)

if TYPE_CHECKING:
    from reconcile.filesystem.access_walk import AccessStep, AccessWalk
    from reconcile.nginx.running.discover import NginxInstallation
    from reconcile.system import Host

_KINDS: Mapping[str, FileKind] = {"file": "file", "directory": "directory"}
_REFUSED: Mapping[str, FileKind] = {"file": "unreadable", "directory": "unlistable"}
_LONGEST_PATH = 4096
"""In bytes, with the final NUL. Source: limits.h, PATH_MAX."""


def worker_account(nginx: NginxInstallation) -> Account:
    """The account that reads the files: that of a running worker, else the configured user.

    A worker's groups, capabilities and mounts are those that it runs with, whatever the account
    database and its unit name by now.

    Errors: UnknownAccount where the configured user does not exist.
    """
    accounts, now = nginx.host.accounts, find_running(nginx)
    for worker in now.workers if now else ():
        if ids := ids_of(worker.pid):
            return Account(
                accounts.user_name(ids[0]),
                *ids,
                capabilities=capabilities_of(worker.pid),
                root=root_of(worker.pid),
                unit=unit_of(worker.pid) or "nginx.service",
                mapped=mapped_ids_of(worker.pid),
            )
    starter = nginx.host.managing_account
    # Started by anyone but root, nginx cannot change its user.
    return accounts.user(nginx.layout.worker_user) if starter.uid == 0 else starter


class WorkerView:
    """Path kinds as the worker's open(2) would find them; see `request.PathKinds`.

    `planned` are paths as they will be: a `directory` is one that the worker can pass, a
    `file` one that it can read.
    """

    def __init__(
        self, host: Host, worker: Account, planned: Mapping[str, FileKind] | None = None
    ) -> None:
        self._host = host
        self._worker = worker
        self._planned = planned or {}
        self._known: dict[str, FileKind] = {}
        self._refused: dict[tuple[str, LinkRule], bool] = {}

    def kind(self, path: str) -> FileKind:
        """See `PathKinds.kind`."""
        if path not in self._known:
            self._known[path] = self._observe(path)
        return self._known[path]

    def walk(self, path: str) -> AccessWalk:
        """What the worker finds on the way to `path` today. Errors: HostError."""
        return self._host.files.access(path, self._worker)

    def link_refusal(self, path: str, rule: LinkRule, start: int) -> LinkRefusal | None:
        """See `PathKinds.link_refusal`; without the plan's own links."""
        for end in _component_ends(path):
            if end > start and self._is_refused_link(path[:end], rule):
                # Nginx opens what is followed by a slash as a directory, which a link is not.
                return "missing" if rule == "on" and end < len(path) else "denied"
        # At a final slash nginx opens `.` in the folder, for which it must be able to enter it.
        return "denied" if path.endswith("/") and not self._can_enter(path) else None

    def _can_enter(self, path: str) -> bool:
        try:
            last = self._host.files.access(path, self._worker).last
        except ReconcileError:
            return True
        return last is None or last.passable

    def _is_refused_link(self, path: str, rule: LinkRule) -> bool:
        if (path, rule) not in self._refused:
            self._refused[path, rule] = self._observe_refusal(path, rule)
        return self._refused[path, rule]

    def _observe_refusal(self, path: str, rule: LinkRule) -> bool:
        files = self._host.files
        try:
            walk = files.access(path, self._worker, follow=False)
            link = None if walk.blocked else walk.last
            if link is None or link.stat.kind != "symlink":
                return False
            target = files.access(path, self._worker).last
        except ReconcileError:
            return False
        return rule == "on" or (target is not None and target.stat.uid != link.stat.uid)

    def _observe(self, path: str) -> FileKind:
        if len(path.encode("utf-8", "surrogateescape")) >= _LONGEST_PATH:
            return "missing"
        try:
            walk = self.walk(path)
        except ReconcileError:
            return "unknown"
        kind = self._as_planned(walk, path) if self._planned else _on_disk(walk)
        # A name with a trailing slash must be a directory.
        is_file = kind in ("file", "unreadable", "special")
        return "missing" if is_file and path.endswith("/") else kind

    def _as_planned(self, walk: AccessWalk, path: str) -> FileKind:
        """The kind of `path` with the planned changes along it applied."""
        way = walk.steps[:-1] if walk.complete else walk.steps
        kinds = [self._planned.get(step.path) or _passing(step) for step in way]
        if walk.complete:
            kinds.append(self._planned.get(walk.steps[-1].path) or _last(walk.steps[-1]))
        else:
            there = {step.path for step in walk.steps}
            beyond = [name for name in _components(normpath(path)) if name not in there]
            kinds += [self._planned.get(name, "missing") for name in beyond]
        *way_kinds, last = kinds
        way_kinds = ["directory" if kind == "unlistable" else kind for kind in way_kinds]
        barred = next((kind for kind in way_kinds if kind != "directory"), None)
        return last if barred is None else _below_obstacle(barred)


class WithAssumedFiles:
    """Another view in which some files are assumed to exist."""

    def __init__(self, files: PathKinds, there: Collection[str]) -> None:
        self._files = files
        self._there = there

    def kind(self, path: str) -> FileKind:
        """See `PathKinds.kind`."""
        return "file" if normpath(path) in self._there else self._files.kind(path)

    def link_refusal(self, path: str, rule: LinkRule, start: int) -> LinkRefusal | None:
        """See `PathKinds.link_refusal`."""
        return self._files.link_refusal(path, rule, start)


def _on_disk(walk: AccessWalk) -> FileKind:
    return "denied" if walk.is_loop or walk.blocked is not None else _last(walk.last)


def _passing(step: AccessStep | None) -> FileKind:
    if step is None:
        return "missing"
    if not step.passable:
        return "denied"
    return "directory" if step.stat.kind in ("directory", "symlink") else _last(step)


def _last(step: AccessStep | None) -> FileKind:
    if step is None:
        return "missing"
    kinds = _KINDS if step.readable else _REFUSED
    return kinds.get(step.stat.kind, "special")


def _below_obstacle(kind: FileKind) -> FileKind:
    """The kind of a path below a component that is not a directory or denies access."""
    return "denied" if kind == "denied" else "missing"


def _component_ends(path: str) -> list[int]:
    """Where each component of `path` ends."""
    return [match.end() for match in re.finditer("[^/]+", path)]


def _components(path: str) -> list[str]:
    names = [name for name in path.split("/") if name]
    return ["/", *("/" + "/".join(names[: end + 1]) for end in range(len(names)))]
