"""A container saves uploads where they are lost, where nginx does not look, or may not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import basename, dirname, join

from reconcile.doctor.compose.interpolate import Unresolved
from reconcile.doctor.compose.mounts import BadCompose, Mount
from reconcile.doctor.compose.read import OVERRIDES, ServiceView, read_service
from reconcile.doctor.declared import DeclaredContainer, DeclaredLocation
from reconcile.doctor.evidence import quoted
from reconcile.doctor.model import Rule, Said, Unseen, error, note
from reconcile.doctor.snapshot import Snapshot
from reconcile.host.accounts import Account

_LARGEST = 1 << 20


def look(snapshot: Snapshot) -> Iterator[Said]:
    for container in snapshot.declared.containers:
        try:
            yield from _container(snapshot, container)
        except (BadCompose, Unresolved) as told:
            yield Unseen(f"{container.compose}, {container.service}", str(told))


@dataclass(frozen=True)
class _Case:
    """What one directory of a container is for: the locations that serve its uploads."""

    snapshot: Snapshot
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
        return f"{self.at}: volumes: [{quoted(f'{self.locations[0].dir}:{self.path}')}]"


def _container(snapshot: Snapshot, container: DeclaredContainer) -> Iterator[Said]:
    service = _service(snapshot, container)
    if service is None:
        yield error(
            f"{container.compose} has no service {container.service}.",
            container.place,
            fix="Correct the service's name in the YAML.",
        )
        return
    for prefix, path in container.mounts.items():
        every = snapshot.declared.locations
        locations = tuple(one for one in every if one.prefix == prefix)
        yield from _uploads(_Case(snapshot, container, service, path, locations))


def _service(snapshot: Snapshot, container: DeclaredContainer) -> ServiceView | None:
    folder, name = dirname(container.compose), basename(container.compose)
    files, paths = snapshot.host.files, [container.compose]
    beside = join(folder, OVERRIDES.get(name, ""))
    if name in OVERRIDES and files.stat(beside):
        paths.append(beside)
    read = tuple(files.read(path, _LARGEST) for path in paths)
    env = files.content(join(folder, ".env"), _LARGEST)
    return read_service(read, env[1] if env else b"", container.service, folder=folder)


def _uploads(case: _Case) -> Iterator[Said]:
    service, path, mount = case.service, case.path, case.service.mount_at(case.path)
    if mount is None and service.elsewhere:
        elsewhere = ", ".join(service.elsewhere)
        yield Unseen(f"{case.at}, {path}", f"it also has {elsewhere}, not read here")
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


def _folder(case: _Case, mount: Mount) -> Iterator[Said]:
    source = case.service.folder_of(mount)
    if not source:
        yield Unseen(f"{case.at}, {mount.source}", "only its driver knows where that volume lies")
        return
    folder = join(source, mount.inside(case.path)).rstrip("/")
    if not any(_is_same(case.snapshot, folder, location.dir) for location in case.locations):
        yield error(
            f"{case.service.name} saves uploads in {folder}, nginx serves {case.locations[0].dir}.",
            f"{case.at}: {mount.source}:{mount.target}, so that {case.path} is {folder}",
            case.served,
            fix=case.fix,
        )
        return
    yield from _writing(case.snapshot, case.service, folder, case.at)


def _is_same(snapshot: Snapshot, one: str, other: str) -> bool:
    if one == other:
        return True
    found = [snapshot.host.files.stat(path, follow=True) for path in (one, other)]
    return None not in found and len({(st.dev, st.ino) for st in found if st}) == 1


def _writing(snapshot: Snapshot, service: ServiceView, folder: str, at: str) -> Iterator[Said]:
    """Only the folder itself counts: the way to it is no way of the container's."""
    uid, _, gid = service.user.partition(":")
    if not uid.isdigit() or (gid and not gid.isdigit()):
        who = f"user {service.user}" if service.user else "the user of its image"
        yield note(
            f"Whether {who} may write to {folder} depends on the image.",
            at,
            fix=f'Name the user by numbers: user: "$(stat -c %u:%g {quoted(folder)})"',
        )
        return
    account = Account(uid, int(uid), int(gid or 0), frozenset({int(gid or 0)}))
    if snapshot.host.files.stat(folder) is None:
        return
    if not snapshot.host.files.may(folder, (account,), 0o3)[0]:
        found = snapshot.host.files.stat(folder, follow=True)
        owner = f"{found.uid}:{found.gid} {found.mode:04o}" if found else ""
        yield error(
            f"{service.name} runs as {service.user} and may not write to {folder}.",
            f"{at}: user: {service.user}",
            f"{folder} belongs to {owner}",
            fix=f'chown {service.user} {quoted(folder)}, or user: "{owner.partition(" ")[0]}"',
        )


RULE = Rule("container-volume", ("CC4", "CC8", "CL4", "CL6", "CL10"), look)
