"""Static files that the app (or nginx itself) can change: whoever breaks in can, too."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, warning
from reconcile.filesystem.access_check import WRITE, allows
from reconcile.system.accounts import Account


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    for mapping in inspection.mappings_of("static"):
        for who, called in _who(inspection, mapping):
            if path := _writable(inspection, mapping, who):
                yield warning(
                    f"{called} ({who.name}) can change the static files in {mapping.path}.",
                    f"{who.name} may write {path}",
                    mapping.evidence,
                    fix=f"chown -R root:root {quote(mapping.path)}"
                    f" && chmod -R go-w {quote(mapping.path)}",
                    by_apply=_is_closed(mapping, who),
                )
                break


def _who(inspection: HostInspection, mapping: LocationMapping) -> Iterator[tuple[Account, str]]:
    """Everyone but root who runs programs here; without root they all are one user."""
    if inspection.host.managing_account.uid:
        return
    for app in inspection.apps_behind(mapping.server):
        if app.account.uid:
            yield app.account, f"The app {app.unit.name}"
    if inspection.worker.uid:
        yield inspection.worker, "nginx"


def _is_closed(mapping: LocationMapping, who: Account) -> bool:
    """Whether the owner and the modes of the YAML keep it out.

    An ACL does not outlive them: nobody whom it names may more than the group. Source: acl(5).
    """
    said = mapping.declared
    return said is not None and who.name != said.user and not (said.dirs | said.files) & 0o022


def _writable(inspection: HostInspection, mapping: LocationMapping, who: Account) -> str:
    walk = inspection.access(mapping.path, who)
    if walk.last is None or walk.blocked is not None:
        return ""
    if walk.last.writable:
        return mapping.path
    found = inspection.inventory(mapping.path)
    for item in found.items if found else ():
        if item.stat.kind != "symlink" and allows(item.stat, item.acl, who, WRITE):
            return f"{mapping.path}/{item.path}"
    return ""


RULE = Rule("writable-static", ("DB10",), check)
