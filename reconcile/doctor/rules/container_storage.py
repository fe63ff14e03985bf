"""nginx serves Docker's own store, which is closed, and whose volumes are filled only once."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import basename
from shlex import quote

from reconcile.doctor.denial_causes import ContainerStore, container_store
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, caused, error, note

_OTHERS = 0o001


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each folder of an engine that nginx may not enter, else a note."""
    for mapping in inspection.mappings:
        store = container_store(inspection.real_path(mapping.path))
        if store and inspection.host.files.stat(mapping.path, follow=True) is not None:
            yield _served_store(inspection, mapping, store)


def _served_store(
    inspection: HostInspection, mapping: LocationMapping, store: ContainerStore
) -> RuleResult:
    walk = inspection.access(mapping.path, inspection.nginx.worker)
    top = inspection.host.files.stat(store.top)
    opened = top is not None and bool(top.mode & _OTHERS)
    evidence = [mapping.evidence]
    if top is not None:
        state = "open to every user of this machine" if opened else "closed on purpose"
        evidence.append(f"{store.top} has mode {top.mode & 0o7777:04o}: {state}")
    if store.volume:
        evidence.append(
            f"the volume {store.volume} gets the image's files only while it is empty: those of a"
            " new image never arrive"
        )
    what = f"{mapping} serves the storage of a container engine, {mapping.path}"
    is_denied = not walk.can_enter
    effect = ": nginx is denied access (403)." if is_denied else "."
    found = (error if is_denied else note)(f"{what}{effect}", *evidence, fix=_fix(mapping, store))
    return caused(found, f"{store.top} {mapping.path}")


def _fix(mapping: LocationMapping, store: ContainerStore) -> str:
    name = store.volume or basename(mapping.path)
    target = mapping.declared.dir if mapping.declared else f"/srv/www/{name}"
    inner = "/PATH/IN/THE/CONTAINER"
    folder, source = quote(target), quote(f"{mapping.path}/.")
    return (
        f"install -d -m 0755 {folder} && cp -r {source} {folder}/ ; then in {mapping.place}:"
        f" alias {target}/; and in the compose file, in place of the volume: {target}:{inner}"
        f" ; at each deployment: docker compose cp SERVICE:{inner}/. {target}/"
    )


RULE = Rule(
    id="container-storage",
    summary="nginx serves a folder in the storage of a container engine.",
    severity="error",
    help=(
        "Docker restricts access to its storage, as it contains the data of all containers; and a"
        " named volume gets the files of the image only while it is empty, so new ones never"
        " arrive. Serve a folder of the host."
    ),
    reads=("configuration", "files"),
    check=check,
)
