"""Uploads whose modes keep nginx out, again after each chmod: umask, temporary files, ACL masks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from shlex import quote

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, error
from reconcile.doctor.upstream_apps import UpstreamApp
from reconcile.filesystem.access_check import READ, allows
from reconcile.filesystem.acl import AclEntry, default_acl
from reconcile.filesystem.inode import Stat
from reconcile.filesystem.inventory import Item
from reconcile.system.accounts import Account
from reconcile.system.process_info import umask_of
from reconcile.wording import counted, first_few

_SET_GID = 0o2000
_NEW_FILE = 0o666


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each app whose next upload nginx cannot read."""
    for mapping in inspection.mappings_of("media"):
        for app in inspection.apps_behind(mapping.server):
            umask = umask_of(app.unit.main_pid) if app.unit.main_pid else None
            folder = inspection.host.files.stat(mapping.path, follow=True)
            if umask is not None and folder is not None and not mapping.is_internal:
                yield from _by_umask(inspection, mapping, app, umask, folder)
            yield from _by_temporary_files(inspection, mapping, app)


def _by_umask(
    inspection: HostInspection,
    mapping: LocationMapping,
    app: UpstreamApp,
    umask: int,
    folder: Stat,
) -> Iterator[RuleResult]:
    worker = inspection.nginx.worker
    created, acl = _new_file(app.account, umask, folder, default_acl(mapping.path))
    if not allows(created, acl, worker, READ):
        yield error(
            f"nginx ({worker.name}) cannot read what the app saves in {mapping.path}: new files"
            f" have mode {created.mode:04o}.",
            f"{app.unit.name} runs as {app.account.name} with umask {umask:04o}",
            mapping.evidence,
            fix=_default_acl(mapping, worker.name),
        )


def _new_file(
    account: Account, umask: int, folder: Stat, acl: tuple[AclEntry, ...]
) -> tuple[Stat, tuple[AclEntry, ...]]:
    """A file that the app creates with open(2), and its list: a default one replaces the umask.

    Source: acl(5), "Object creation and default ACLs".
    """
    mode = _NEW_FILE & (0o777 if acl else ~umask)
    gid = folder.gid if folder.mode & _SET_GID else account.gid
    created = replace(folder, kind="file", uid=account.uid, gid=gid, mode=mode)
    return created, tuple(entry._replace(permissions=entry.permissions & 0o6) for entry in acl)


def _default_acl(mapping: LocationMapping, worker: str) -> str:
    path = quote(mapping.path)
    return (
        f"setfacl -R -m u:{worker}:rX {path} && find {path} -type d -exec"
        f" setfacl -d -m u:{worker}:rX {{}} +  # a default ACL takes the place of the umask"
    )


def _by_temporary_files(
    inspection: HostInspection, mapping: LocationMapping, app: UpstreamApp
) -> Iterator[RuleResult]:
    """Some uploads are closed, others of the same user are not: how they are saved differs."""
    found, worker = inspection.inventory(mapping.path), inspection.nginx.worker
    every = [item for item in found.of_kind("file") if not item.is_hidden] if found else []
    own = [item for item in every if item.stat.uid == app.account.uid]
    closed = [item for item in own if _is_closed(item, worker)]
    if not closed or len(closed) == len(own):
        return
    opened = next(item for item in own if item not in closed)
    masked = [item for item in closed if item.acl]
    why = "; its ACL grants nginx r, but the mask, which is set by the mode, removes it"
    yield error(
        f"{counted(len(closed), 'upload')} in {mapping.path} cannot be read by nginx, unlike"
        " others of the same user: they were temporary files and were renamed.",
        f"{closed[0].path} has mode {closed[0].stat.mode & 0o777:04o}, {opened.path}"
        f" {opened.stat.mode & 0o777:04o}{why if masked else ''}",
        f"403: {first_few([item.path for item in closed])}",
        fix=_fix(mapping, worker),
    )


def _is_closed(item: Item, worker: Account) -> bool:
    """Whether it has the mode of a temporary file, 0600, which shuts nginx out."""
    return not item.stat.mode & 0o077 and not allows(item.stat, item.acl, worker, READ)


def _fix(mapping: LocationMapping, worker: Account) -> str:
    path = quote(mapping.path)
    return (
        f"find {path} -type f -perm 0600 -exec setfacl -m u:{worker.name}:r {{}} +"
        "  # and in the app, after saving: os.chmod(path, 0o644); Django:"
        " FILE_UPLOAD_PERMISSIONS = 0o644"
    )


RULE = Rule(
    id="upload-modes",
    summary="nginx cannot read new uploads, even after the old ones are fixed.",
    severity="error",
    help=(
        "The umask of the app, or temporary files that it renames, give each new upload a mode that"
        " denies nginx access, so a chmod helps only until the next one. Give the folder a default"
        " ACL, or set the mode in the app."
    ),
    reads=("configuration", "files", "processes", "units"),
    check=check,
)
