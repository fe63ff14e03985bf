"""What SELinux keeps nginx and the app from: by the labels of files, by what it has denied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from reconcile.doctor.evidence import counted, examples
from reconcile.doctor.host_readings import MOST_ITEMS
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.mandatory.audit import Avc, avcs, type_of
from reconcile.doctor.mandatory.selinux import (
    CONNECT,
    DOMAIN,
    READ,
    WRITE,
    is_mended,
    refused,
    relabel,
    remedy,
)
from reconcile.doctor.rule import RuleResult, error, note
from reconcile.doctor.upstream import local_port, socket_path
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.inventory import inventory

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection
    from reconcile.doctor.mandatory.log import Logged
    from reconcile.system.lsm import Security

SHOWN = 3
_APPS = ("gunicorn", "uwsgi", "uvicorn", "hypercorn")


def by_selinux(
    snapshot: HostInspection, security: Security, logged: Sequence[Logged]
) -> Iterator[RuleResult]:
    """Nothing where SELinux is off or permissive, or where nginx runs in no domain of its own."""
    if not security.is_enforcing():
        return
    if _domain(snapshot, security) == DOMAIN:
        for mapped in {one.path: one for one in snapshot.mappings_of("static", "media")}.values():
            yield from _labels(snapshot, security, mapped)
    denials = list(_denials(snapshot, security, logged))
    yield from _told(snapshot, denials)
    yield from _upstreams(snapshot, security, denials)


def _domain(snapshot: HostInspection, security: Security) -> str:
    """The type that nginx runs in; without a running one, that of the policy."""
    now = snapshot.running
    return (type_of(security.domain(now.master_pid)) if now else "") or DOMAIN


def _labels(
    snapshot: HostInspection, security: Security, mapped: LocationMapping
) -> Iterator[RuleResult]:
    for path in _way(snapshot, mapped):
        type_ = type_of(security.label(path))
        if refused(type_, "directory", security.boolean):
            yield _wrong(mapped, f"nginx ({DOMAIN}) may not enter {path}", f"{path}: {type_}")
            return
    wrong = list(_refused_below(security, mapped))
    if wrong:
        names = [path for path, _ in wrong]
        what = f"nginx ({DOMAIN}) may not read {counted(wrong, 'name')} in {mapped.path}"
        shown = (f"{mapped.path}/{path}: {type_}" for path, type_ in wrong[:SHOWN])
        yield _wrong(mapped, what, *shown, f"answered 403: {examples(names)}")


def _way(snapshot: HostInspection, mapped: LocationMapping) -> Iterator[str]:
    walk = snapshot.access(mapped.path, snapshot.worker)
    return (s.path for s in walk.steps if s.stat.kind == "directory" and s.path != "/")


def _refused_below(security: Security, mapped: LocationMapping) -> Iterator[tuple[str, str]]:
    try:
        found = inventory(mapped.path, MOST_ITEMS, labelled=True)
    except FileNotFoundError:
        return
    for item in found.items:
        type_ = type_of(item.label)
        if refused(type_, item.stat.kind, security.boolean):
            yield item.path, type_


def _wrong(mapped: LocationMapping, what: str, *evidence: str) -> RuleResult:
    return error(
        f"{what}: its SELinux label forbids it.",
        *evidence,
        f"{mapped.place}: {mapped.directive.name} {mapped.directive.args[0]};",
        fix=relabel(mapped.path, WRITE if mapped.role == "media" else READ),
    )


def _denials(
    snapshot: HostInspection, security: Security, logged: Sequence[Logged]
) -> Iterator[tuple[str, Avc]]:
    """What nginx and the apps were denied since they run, and would be denied again."""
    domain = _domain(snapshot, security)
    for log in logged:
        for denied in avcs(log.lines):
            is_nginx = denied.comm.startswith("nginx") and denied.source == domain
            if not is_nginx and not _is_app(snapshot, denied):
                continue
            now = _type_now(security, denied.path)
            if log.is_recent(denied.at) and not is_mended(denied, now, security.boolean):
                yield log.where, denied


def _is_app(snapshot: HostInspection, denied: Avc) -> bool:
    return denied.comm.startswith(_APPS) or denied.pid in [
        app.unit.main_pid for app in snapshot.apps
    ]


def _type_now(security: Security, path: str) -> str:
    if not path.startswith("/"):
        return ""
    try:
        return type_of(security.label(path))
    except HostError:
        # Gone, or on a way that others could turn: what was denied stays told.
        return ""


def _told(snapshot: HostInspection, denials: Sequence[tuple[str, Avc]]) -> Iterator[RuleResult]:
    by_fix: dict[str, list[tuple[str, Avc]]] = {}
    for where, denied in denials:
        by_fix.setdefault(remedy(denied, _folder(snapshot, denied)), []).append((where, denied))
    for fix, same in by_fix.items():
        where, denied = same[-1]
        object_ = f"port {denied.port}" if denied.port else denied.path or denied.kind
        yield error(
            f"SELinux denied {denied.comm} {' '.join(sorted(denied.wants))} on {object_}"
            f" ({denied.target}), {len(same)} times of late.",
            f"{where}: {denied.line}",
            fix=fix,
        )


def _folder(snapshot: HostInspection, denied: Avc) -> str:
    """The folder that nginx serves, or the socket's, in which it was denied; or ""."""
    for mapped in snapshot.mappings_of("static", "media"):
        if f"{denied.path}/".startswith(f"{mapped.path}/"):
            return mapped.path
        if denied.inode and denied.inode in _inodes(snapshot, mapped, denied.path):
            return mapped.path
    for passed in snapshot.proxy_locations:
        for path in filter(None, map(socket_path, passed.targets)):
            if path == denied.path or path.endswith(f"/{denied.path}"):
                return path.rpartition("/")[0]
    return ""


def _inodes(snapshot: HostInspection, mapped: LocationMapping, name: str) -> set[int]:
    """The inodes of that name in a folder: the log tells no more of a path than its end."""
    found = snapshot.inventory(mapped.path)
    items = found.items if found else ()
    return {item.stat.ino for item in items if item.path.rpartition("/")[2] == name}


def _upstreams(
    snapshot: HostInspection, security: Security, denials: Sequence[tuple[str, Avc]]
) -> Iterator[RuleResult]:
    """Upstreams that are asked over TCP, where the policy lets nginx connect to few ports."""
    if security.boolean(CONNECT) is not False or _domain(snapshot, security) != DOMAIN:
        return
    known = {denied.port for _, denied in denials if "name_connect" in denied.wants}
    for passed in snapshot.proxy_locations:
        for target in passed.targets:
            port = local_port(target)
            if port and port not in known:
                yield note(
                    f"{CONNECT} is off: SELinux may keep nginx from {target}.",
                    f"{passed.place}: {passed.directive.name} {passed.directive.args[0]};",
                    fix=f"Where it answers 502: setsebool -P {CONNECT} 1",
                )
