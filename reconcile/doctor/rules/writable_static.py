"""Static files that the app (or nginx itself) can change: whoever breaks in can, too."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.evidence import quoted
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import Mapped
from reconcile.doctor.rule import Rule, RuleResult, warning
from reconcile.filesystem.access import WRITE, allows
from reconcile.system.accounts import Account


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    for mapped in snapshot.of_role("static"):
        for who, called in _who(snapshot, mapped):
            if path := _writable(snapshot, mapped, who):
                yield warning(
                    f"{called} ({who.name}) can change the static files in {mapped.path}.",
                    f"{who.name} may write {path}",
                    f"{mapped.place}: {mapped.directive.name} {mapped.directive.args[0]};",
                    fix=f"chown -R root:root {quoted(mapped.path)}"
                    f" && chmod -R go-w {quoted(mapped.path)}",
                    by_apply=_is_closed(mapped, who),
                )
                break


def _who(snapshot: HostInspection, mapped: Mapped) -> Iterator[tuple[Account, str]]:
    """Everyone but root who runs programs here; without root they all are one user."""
    if snapshot.host.managing_account.uid:
        return
    for app in snapshot.apps_of(mapped.server):
        if app.account.uid:
            yield app.account, f"The app {app.unit.name}"
    if snapshot.worker.uid:
        yield snapshot.worker, "nginx"


def _is_closed(mapped: Mapped, who: Account) -> bool:
    """Whether the owner and the modes of the YAML keep it out.

    An ACL does not outlive them: nobody whom it names may more than the group. Source: acl(5).
    """
    said = mapped.declared
    return said is not None and who.name != said.user and not (said.dirs | said.files) & 0o022


def _writable(snapshot: HostInspection, mapped: Mapped, who: Account) -> str:
    walk = snapshot.walk(mapped.path, who)
    if walk.last is None or walk.blocked is not None:
        return ""
    if walk.last.writable:
        return mapped.path
    found = snapshot.inventory(mapped.path)
    for item in found.items if found else ():
        if item.stat.kind != "symlink" and allows(item.stat, item.acl, who, WRITE):
            return f"{mapped.path}/{item.path}"
    return ""


RULE = Rule("writable-static", ("DB10",), look)
