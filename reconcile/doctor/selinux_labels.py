"""Labels of served files: those that differ from the policy's, and those it closes to nginx.

`restorecon -n` compares labels with the policy; the kernel decides what they allow. Source:
restorecon(8), semanage-fcontext(8), httpd_selinux(8).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import join
from shlex import quote
from typing import TYPE_CHECKING

from reconcile.doctor.rule import Inconclusive, RuleResult, caused, error, note
from reconcile.system.selinux import SELinux, context_of, label_of, type_of
from reconcile.wording import counted

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection
    from reconcile.doctor.location_mapping import LocationMapping

MAX_BYTES = 8 << 20
MAX_LABELS = 5000
"""Labels of a folder that are read."""
_NEEDED = {"directory": ("dir", ("search",)), "file": ("file", ("getattr", "open", "read"))}


def check_labels(inspection: HostInspection, security: SELinux) -> Iterator[RuleResult]:
    """Yield a finding for each served folder with labels that are wrong, or closed to nginx."""
    restorecon = inspection.host.commands.find("restorecon")
    if restorecon is None:
        yield Inconclusive("SELinux labels", "restorecon is not installed (policycoreutils)")
    for mapping in {one.path: one for one in inspection.mappings_of("static", "media")}.values():
        closed = closed_to_nginx(inspection, security, mapping)
        changed = _changed_labels(inspection, mapping.path) if restorecon else []
        if changed:
            yield _changed(mapping, changed, closed)
        elif closed:
            yield _closed(mapping, closed)


def closed_to_nginx(
    inspection: HostInspection, security: SELinux, mapping: LocationMapping
) -> dict[str, str] | None:
    """Label → a path that has it, of those that nginx may not serve; None where unknown."""
    running = inspection.nginx.running
    process = context_of(running.workers[0].pid) if running and running.workers else ""
    if not process:
        return None
    closed: dict[str, str] = {}
    known: dict[tuple[str, str], frozenset[str] | None] = {}
    for kind, path in _served_paths(inspection, mapping.path):
        label = label_of(path)
        if (kind, label) not in known:
            known[kind, label] = security.denied(process, label, *_NEEDED[kind])
        if known[kind, label]:
            closed.setdefault(label, path)
    return closed


def _served_paths(inspection: HostInspection, folder: str) -> Iterator[tuple[str, str]]:
    names = inspection.real_path(folder).strip("/").split("/")
    for number in range(len(names) + 1):
        yield "directory", "/" + "/".join(names[:number])
    found = inspection.inventory(folder)
    for item in found.items[:MAX_LABELS] if found else ():
        if item.stat.kind in _NEEDED and not item.is_hidden:
            yield item.stat.kind, join(found.root, item.path) if found else ""


def _changed_labels(inspection: HostInspection, folder: str) -> list[str]:
    done = inspection.host.commands.run(
        ("restorecon", "-n", "-v", "-R", folder), timeout_s=30, max_bytes=MAX_BYTES
    )
    return [line for line in done.stdout.splitlines() if "relabel" in line.lower()]


def _changed(
    mapping: LocationMapping, changed: list[str], closed: dict[str, str] | None
) -> RuleResult:
    # Where the kernel allows both labels, visitors notice nothing.
    report = note if closed == {} else error
    found = report(
        f"{mapping.path} has {counted(len(changed), 'file')} whose SELinux label differs from the"
        " policy.",
        *changed[:3],
        mapping.evidence,
        fix=f"restorecon -Rv {quote(mapping.path)}",
    )
    return caused(found, label_cause(next(iter(closed)))) if closed else found


def _closed(mapping: LocationMapping, closed: dict[str, str]) -> RuleResult:
    label, path = next(iter(closed.items()))
    kind = "httpd_sys_rw_content_t" if mapping.role == "media" else "httpd_sys_content_t"
    folder = mapping.path
    found = error(
        f"SELinux denies nginx what has the label {type_of(label)}: {mapping} returns 403.",
        f"{path} has {label}, as the policy has it for that place",
        mapping.evidence,
        fix=f"semanage fcontext -a -t {kind} {quote(re.escape(folder) + '(/.*)?')}"
        f" && restorecon -Rv {quote(folder)}",
    )
    return caused(found, label_cause(label))


def label_cause(label: str) -> str:
    """The cause of what is denied because of a label, the same in each finding of it."""
    return f"label {type_of(label)}"
