"""A container saves uploads in its own layer, in another folder than nginx serves, or cannot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import basename, dirname, join
from shlex import quote

from reconcile.doctor.compose import (
    MAX_BYTES,
    OVERRIDES,
    ServiceMount,
    ServiceView,
    UnsupportedCompose,
    read_service,
)
from reconcile.doctor.config_view import DeclaredContainer, DeclaredLocation
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Inconclusive, Rule, RuleResult, error, note
from reconcile.system.accounts import STRANGER, Account

_ACCOUNTS_FILE = "/etc/passwd"
_WRITE_AND_ENTER = 0o3


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each container whose uploads are lost, misplaced or denied."""
    for container in inspection.declared.containers:
        try:
            yield from _check_container(inspection, container)
        except UnsupportedCompose as error:
            yield Inconclusive(f"{container.compose}, {container.service}", str(error))


@dataclass(frozen=True)
class _UploadFolder:
    """A directory inside a container, and the locations that serve its uploads."""

    inspection: HostInspection
    container: DeclaredContainer
    service: ServiceView
    path: str
    locations: tuple[DeclaredLocation, ...]

    @property
    def place(self) -> str:
        """The compose file and the service."""
        return f"{self.container.compose}: {self.service.name}"

    @property
    def served(self) -> str:
        """The location that serves the uploads, as evidence."""
        first = self.locations[0]
        return f"{first.place}: {first.prefix} serves {first.dir}"

    @property
    def fix(self) -> str:
        """The volume that connects the directory with the served one."""
        return f"{self.place}: volumes: [{quote(f'{self.locations[0].dir}:{self.path}')}]"


def _check_container(
    inspection: HostInspection, container: DeclaredContainer
) -> Iterator[RuleResult]:
    service = _read_service(inspection, container)
    if service is None:
        yield error(
            f"{container.compose} has no service {container.service}.",
            container.place,
            fix=f"{container.place}: correct the name of the service.",
        )
        return
    for prefix, path in container.mounts.items():
        every = inspection.declared.locations
        locations = tuple(one for one in every if one.prefix == prefix)
        yield from _check_mount(_UploadFolder(inspection, container, service, path, locations))


def _read_service(inspection: HostInspection, container: DeclaredContainer) -> ServiceView | None:
    folder, name = dirname(container.compose), basename(container.compose)
    files, paths = inspection.host.files, [container.compose]
    beside = join(folder, OVERRIDES.get(name, ""))
    if name in OVERRIDES and files.stat(beside):
        paths.append(beside)
    read = tuple(files.read(path, MAX_BYTES) for path in paths)
    env = files.content(join(folder, ".env"), MAX_BYTES)
    return read_service(read, env[1] if env else b"", container.service, folder=folder)


def _check_mount(folder: _UploadFolder) -> Iterator[RuleResult]:
    service, path, mount = folder.service, folder.path, folder.service.mount_at(folder.path)
    if mount is None and service.unread_keys:
        elsewhere = ", ".join(service.unread_keys)
        yield Inconclusive(f"{folder.place}, {path}", f"reconcile does not read its {elsewhere}")
    elif mount is None or mount.kind in ("tmpfs", "other") or not mount.source:
        yield error(
            f"Uploads to {path} of {service.name} are lost with the container:"
            f" {_loss_reason(mount)}.",
            folder.place,
            folder.served,
            fix=folder.fix,
        )
    elif mount.read_only:
        yield error(
            f"{service.name} cannot save uploads: {path} is mounted read-only.",
            f"{folder.place}: {mount.source}:{mount.target}, read-only",
            fix=f"Remove ro (read_only); {folder.fix}",
        )
    else:
        yield from _check_source(folder, mount)


def _loss_reason(mount: ServiceMount | None) -> str:
    if mount is None:
        return "no volume is mounted there"
    if mount.kind == "tmpfs":
        return "a tmpfs is mounted there"
    return "the volume has no name, so each new container gets a new one"


def _check_source(folder: _UploadFolder, mount: ServiceMount) -> Iterator[RuleResult]:
    top = folder.service.folder_of(mount)
    if not top:
        yield Inconclusive(
            f"{folder.place}, {mount.source}", "only its driver knows where that volume is stored"
        )
        return
    saved = join(top, mount.inside(folder.path)).rstrip("/")
    if not any(folder.inspection.is_same(saved, location.dir) for location in folder.locations):
        yield error(
            f"{folder.service.name} saves uploads in {saved}, but nginx serves"
            f" {folder.locations[0].dir}.",
            f"{folder.place}: {mount.source}:{mount.target}, so {folder.path} is {saved}",
            folder.served,
            fix=folder.fix,
        )
        return
    yield from _check_access(folder, saved)


def _check_access(folder: _UploadFolder, saved: str) -> Iterator[RuleResult]:
    """Only the folder itself counts: the container does not walk the host's path to it."""
    files, user = folder.inspection.host.files, folder.service.user
    found = files.stat(saved, follow=True)
    if found is None or files.may_access(saved, (STRANGER,), _WRITE_AND_ENTER)[0]:
        return
    account = _container_account(folder, found.uid)
    if account is None:
        yield _unknown_user(folder, saved)
    elif not files.may_access(saved, (account,), _WRITE_AND_ENTER)[0]:
        owner = f"{found.uid}:{found.gid}"
        ids = f"{account.uid}:{account.gid}"
        name = user if user[:1].isdigit() else f"{user} ({ids})"
        yield error(
            f"{folder.service.name} runs as {name} and cannot write to {saved}.",
            f"{folder.place}: user: {user}",
            f"{saved} belongs to {owner}, mode {found.mode:04o}",
            fix=f'chown {ids} {quote(saved)}, or user: "{owner}"',
        )


def _container_account(folder: _UploadFolder, owner: int) -> Account | None:
    """The account of the container; None where only its image knows the name."""
    name, _, group = folder.service.user.partition(":")
    if name.isdigit() and (not group or group.isdigit() or int(name) == owner):
        return _account_of_ids(int(name), int(group) if group.isdigit() else 0)
    if name == "root" and group in ("", "root", "0"):
        return _account_of_ids(0, 0)
    ids = _ids_from_passwd(folder, name) if name and not group else None
    return _account_of_ids(*ids) if ids else None


def _account_of_ids(uid: int, gid: int) -> Account:
    return Account(str(uid), uid, gid, frozenset({gid}))


def _ids_from_passwd(folder: _UploadFolder, name: str) -> tuple[int, int] | None:
    """The ids in the /etc/passwd that the container mounts from this host, if it does."""
    mount = folder.service.mount_at(_ACCOUNTS_FILE)
    found = (
        folder.inspection.host.files.content(mount.source, MAX_BYTES)
        if mount and mount.kind == "bind" and mount.target == _ACCOUNTS_FILE
        else None
    )
    for line in found[1].decode("utf-8", "replace").splitlines() if found else ():
        fields = line.split(":")
        if fields[0] == name and len(fields) > 3 and fields[2].isdigit() and fields[3].isdigit():
            return int(fields[2]), int(fields[3])
    return None


def _unknown_user(folder: _UploadFolder, saved: str) -> RuleResult:
    user, compose = folder.service.user, quote(folder.container.compose)
    who = f"user {user}" if user else "the user of its image"
    return note(
        f"Whether {who} can write to {saved} depends on the image.",
        folder.place,
        fix=f"docker compose -f {compose} run --rm --entrypoint id {quote(folder.service.name)}"
        f'  # then set user: "UID:GID" to these numbers, and chown {quote(saved)}',
    )


RULE = Rule(
    id="container-volume",
    summary="A container's uploads are lost, or saved where nginx does not serve them.",
    severity="error",
    help=(
        "Uploads inside of a container are lost with it, unless their folder is a volume "
        "that nginx serves too."
    ),
    reads=("configuration", "files", "compose"),
    guide_rows=("CC4", "CC8", "CL4", "CL6", "CL10"),
    check=check,
)
