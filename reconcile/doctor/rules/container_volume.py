"""A container saves uploads where they are lost, where nginx does not look, or may not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import basename, dirname, join
from shlex import quote

from reconcile.doctor.compose import (
    MAX_BYTES,
    OVERRIDES,
    Mount,
    NotRead,
    ServiceView,
    read_service,
)
from reconcile.doctor.config_view import DeclaredContainer, DeclaredLocation
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Inconclusive, Rule, RuleResult, error, note
from reconcile.system.accounts import Account

_ACCOUNTS = "/etc/passwd"
_WX = 0o3
_NOBODY = Account("anybody", 0xFFFF_FFFD, 0xFFFF_FFFD, frozenset())


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    for container in inspection.declared.containers:
        try:
            yield from _container(inspection, container)
        except NotRead as error:
            yield Inconclusive(f"{container.compose}, {container.service}", str(error))


@dataclass(frozen=True)
class _Case:
    """What one directory of a container is for: the locations that serve its uploads."""

    inspection: HostInspection
    container: DeclaredContainer
    service: ServiceView
    path: str
    locations: tuple[DeclaredLocation, ...]

    @property
    def at(self) -> str:
        return f"{self.container.compose}: {self.service.name}"

    @property
    def served(self) -> str:
        first = self.locations[0]
        return f"{first.place}: {first.prefix} serves {first.dir}"

    @property
    def fix(self) -> str:
        return f"{self.at}: volumes: [{quote(f'{self.locations[0].dir}:{self.path}')}]"


def _container(inspection: HostInspection, container: DeclaredContainer) -> Iterator[RuleResult]:
    service = _service(inspection, container)
    if service is None:
        yield error(
            f"{container.compose} has no service {container.service}.",
            container.place,
            fix="Correct the service's name in the YAML.",
        )
        return
    for prefix, path in container.mounts.items():
        every = inspection.declared.locations
        locations = tuple(one for one in every if one.prefix == prefix)
        yield from _uploads(_Case(inspection, container, service, path, locations))


def _service(inspection: HostInspection, container: DeclaredContainer) -> ServiceView | None:
    folder, name = dirname(container.compose), basename(container.compose)
    files, paths = inspection.host.files, [container.compose]
    beside = join(folder, OVERRIDES.get(name, ""))
    if name in OVERRIDES and files.stat(beside):
        paths.append(beside)
    read = tuple(files.read(path, MAX_BYTES) for path in paths)
    env = files.content(join(folder, ".env"), MAX_BYTES)
    return read_service(read, env[1] if env else b"", container.service, folder=folder)


def _uploads(case: _Case) -> Iterator[RuleResult]:
    service, path, mount = case.service, case.path, case.service.mount_at(case.path)
    if mount is None and service.elsewhere:
        elsewhere = ", ".join(service.elsewhere)
        yield Inconclusive(f"{case.at}, {path}", f"it also has {elsewhere}, not read here")
    elif mount is None or mount.kind in ("tmpfs", "other") or not mount.source:
        yield error(
            f"Uploads to {path} of {service.name} are lost with the container: {_why(mount)}.",
            case.at,
            case.served,
            fix=case.fix,
        )
    elif mount.read_only:
        yield error(
            f"{service.name} cannot save uploads: {path} is mounted read-only.",
            f"{case.at}: {mount.source}:{mount.target}, read-only",
            fix=f"Take ro (read_only) off; {case.fix}",
        )
    else:
        yield from _folder(case, mount)


def _why(mount: Mount | None) -> str:
    if mount is None:
        return "no volume is mounted there"
    if mount.kind == "tmpfs":
        return "a tmpfs is mounted there"
    return "the volume there has no name, and each new container gets another"


def _folder(case: _Case, mount: Mount) -> Iterator[RuleResult]:
    source = case.service.folder_of(mount)
    if not source:
        yield Inconclusive(
            f"{case.at}, {mount.source}", "only its driver knows where that volume lies"
        )
        return
    folder = join(source, mount.inside(case.path)).rstrip("/")
    if not any(_is_same(case.inspection, folder, location.dir) for location in case.locations):
        yield error(
            f"{case.service.name} saves uploads in {folder}, nginx serves {case.locations[0].dir}.",
            f"{case.at}: {mount.source}:{mount.target}, so that {case.path} is {folder}",
            case.served,
            fix=case.fix,
        )
        return
    yield from _writing(case, folder)


def _is_same(inspection: HostInspection, one: str, other: str) -> bool:
    if one == other:
        return True
    found = [inspection.host.files.stat(path, follow=True) for path in (one, other)]
    return None not in found and len({(st.dev, st.ino) for st in found if st}) == 1


def _writing(case: _Case, folder: str) -> Iterator[RuleResult]:
    """Only the folder itself counts: the way to it is no way of the container's."""
    files, user = case.inspection.host.files, case.service.user
    found = files.stat(folder, follow=True)
    if found is None or files.may(folder, (_NOBODY,), _WX)[0]:
        return
    account = _account(case, found.uid)
    if account is None:
        yield _depends(case, folder)
    elif not files.may(folder, (account,), _WX)[0]:
        owner = f"{found.uid}:{found.gid}"
        ids = f"{account.uid}:{account.gid}"
        called = user if user[:1].isdigit() else f"{user} ({ids})"
        yield error(
            f"{case.service.name} runs as {called} and may not write to {folder}.",
            f"{case.at}: user: {user}",
            f"{folder} belongs to {owner} {found.mode:04o}",
            fix=f'chown {ids} {quote(folder)}, or user: "{owner}"',
        )


def _account(case: _Case, owner: int) -> Account | None:
    """Whom the container runs as; None where only its image has the name."""
    name, _, group = case.service.user.partition(":")
    if name.isdigit() and (not group or group.isdigit() or int(name) == owner):
        return _of_ids(int(name), int(group) if group.isdigit() else 0)
    if name == "root" and group in ("", "root", "0"):
        return _of_ids(0, 0)
    ids = _in_passwd(case, name) if name and not group else None
    return _of_ids(*ids) if ids else None


def _of_ids(uid: int, gid: int) -> Account:
    return Account(str(uid), uid, gid, frozenset({gid}))


def _in_passwd(case: _Case, name: str) -> tuple[int, int] | None:
    """Its ids in the /etc/passwd that the container has from this host, where it has one."""
    mount = case.service.mount_at(_ACCOUNTS)
    found = (
        case.inspection.host.files.content(mount.source, MAX_BYTES)
        if mount and mount.kind == "bind" and mount.target == _ACCOUNTS
        else None
    )
    for line in found[1].decode("utf-8", "replace").splitlines() if found else ():
        fields = line.split(":")
        if fields[0] == name and len(fields) > 3 and fields[2].isdigit() and fields[3].isdigit():
            return int(fields[2]), int(fields[3])
    return None


def _depends(case: _Case, folder: str) -> RuleResult:
    user, compose = case.service.user, quote(case.container.compose)
    who = f"user {user}" if user else "the user of its image"
    return note(
        f"Whether {who} may write to {folder} depends on the image.",
        case.at,
        fix=f"docker compose -f {compose} run --rm --entrypoint id {quote(case.service.name)}"
        f'  # then name the user by these numbers, as user: "UID:GID", and chown {quote(folder)}',
    )


RULE = Rule("container-volume", ("CC4", "CC8", "CL4", "CL6", "CL10"), check)
