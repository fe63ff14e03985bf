"""Why nginx is denied a folder that owners and modes allow, or that should stay closed."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconcile.doctor.unit_sandbox import hidden_by
from reconcile.errors import ReconcileError
from reconcile.filesystem.access_walk import is_hidden_from
from reconcile.filesystem.path import is_inside

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection
    from reconcile.doctor.location_mapping import LocationMapping
    from reconcile.doctor.units import UnitView
    from reconcile.system.accounts import Account

_STORES = re.compile(
    r"^(/var/lib/docker|/var/lib/containers/storage|/var/lib/containerd|/var/lib/podman"
    r"|/var/snap/docker/common/var-lib-docker|/(?:home/[^/]+|root)/\.local/share/(?:docker"
    r"|containers/storage))(?:/|$)"
)
_VOLUME = re.compile(r"/volumes/([^/]+)/_data(?:/|$)")


@dataclass(frozen=True)
class ContainerStore:
    """A folder inside of what a container engine keeps for itself."""

    top: str
    volume: str


def container_store(path: str) -> ContainerStore | None:
    """The engine's store that a path is in; None where it is in none."""
    store, volume = _STORES.match(path), _VOLUME.search(path)
    return ContainerStore(store[1], volume[1] if volume else "") if store else None


def nginx_unit(inspection: HostInspection) -> UnitView | None:
    """The unit that nginx runs in; None where none is known."""
    name = inspection.nginx.worker.unit or "nginx.service"
    return inspection.units.get(name)


def hiding(inspection: HostInspection, path: str) -> str:
    """The setting of nginx's unit that hides `path` from it; "" if it sees the path."""
    worker, unit = inspection.nginx.worker, nginx_unit(inspection)
    if inspection.nginx.running is not None:
        if not _is_hidden(worker, path):
            return ""
        return (hidden_by(unit, path) if unit else "") or "a mount of its own hides it"
    return hidden_by(unit, path) if unit else ""


def _is_hidden(worker: Account, path: str) -> bool:
    """Whether the worker has something else, or nothing, where this process has the path."""
    names = path.strip("/").split("/")
    tops = ("/" + "/".join(names[: number + 1]) for number in range(len(names)))
    return any(is_hidden_from(worker, top) for top in tops)


def missing_groups(inspection: HostInspection, account: Account) -> frozenset[int]:
    """Groups that the account database has for a running process, and that it runs without."""
    try:
        current = inspection.host.accounts.user(account.name)
    except ReconcileError:
        return frozenset()
    # Without its user's own group it was given others on purpose.
    return current.groups - account.groups if current.gid == account.gid else frozenset()


def with_current_groups(inspection: HostInspection, account: Account) -> Account:
    """The account as a new process of its user would run."""
    return replace(account, groups=account.groups | missing_groups(inspection, account))


def denial_cause(inspection: HostInspection, path: str, account: Account | None = None) -> str:
    """What keeps an account (without one: nginx's) from `path`, the same for each finding of it.

    "" where nothing does.
    """
    worker = inspection.nginx.worker
    account = account or worker
    walk = inspection.access(path, account)
    last = walk.last
    is_open = last is None or (last.passable if last.stat.kind == "directory" else last.readable)
    step = walk.blocked or (None if is_open else last)
    if step is None:
        return ""
    renewed = with_current_groups(inspection, account)
    if renewed != account and inspection.access(path, renewed).can_enter:
        return f"groups of {account.name}"
    if step.stat.kind == "file":
        folders = [one.path for one in inspection.mappings if is_inside(path, one.path)]
        return f"files in {max(folders, key=len, default='')}"
    return f"closed {step.path}"


def is_explained(inspection: HostInspection, mapping: LocationMapping) -> bool:
    """Whether another rule names why nginx is denied, with a fix that opens less than a chmod."""
    path = inspection.real_path(mapping.path)
    if container_store(path) or hiding(inspection, mapping.path):
        return True
    worker = inspection.nginx.worker
    renewed = with_current_groups(inspection, worker)
    return renewed != worker and inspection.access(mapping.path, renewed).can_enter
