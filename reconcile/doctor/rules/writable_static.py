"""Static files that the app or nginx can modify: so can anyone who compromises it."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, note
from reconcile.filesystem.access_check import WRITE, allows
from reconcile.filesystem.path import is_inside
from reconcile.system.accounts import Account


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a note for each static folder that the app's or the worker's user can modify."""
    for mapping in inspection.mappings_of("static"):
        for account, program in _programs(inspection, mapping):
            if path := _writable_path(inspection, mapping, account):
                yield note(
                    f"{program} ({account.name}) can modify the static files in {mapping.path}.",
                    f"{account.name} can write to {path}",
                    mapping.evidence,
                    fix=_fix(inspection, mapping),
                    apply_fixes=_is_fixed_by_apply(mapping, account),
                )
                break


def _fix(inspection: HostInspection, mapping: LocationMapping) -> str:
    """The group stays, nginx may read by it; uploads among the files stay the app's."""
    uploads = _uploads_inside(inspection, mapping)
    pruned = "".join(f" -path {quote(path)} -prune -o" for path in uploads)
    if not pruned:
        return f"chown -R root {quote(mapping.path)} && chmod -R go-w {quote(mapping.path)}"
    owned = f"find {quote(mapping.path)}{pruned} ! -type l -exec chown root {{}} +"
    return f"{owned} -exec chmod go-w {{}} +"


def _uploads_inside(inspection: HostInspection, mapping: LocationMapping) -> tuple[str, ...]:
    media = (one.path for one in inspection.mappings_of("media"))
    return tuple(dict.fromkeys(path for path in media if is_inside(path, mapping.path)))


def _programs(
    inspection: HostInspection, mapping: LocationMapping
) -> Iterator[tuple[Account, str]]:
    """Every program here that does not run as root; without root all share one user."""
    if inspection.host.managing_account.uid:
        return
    for app in inspection.apps_behind(mapping.server):
        if app.account.uid:
            yield app.account, f"The app {app.unit.name}"
    if inspection.nginx.worker.uid:
        yield inspection.nginx.worker, "nginx"


def _is_fixed_by_apply(mapping: LocationMapping, account: Account) -> bool:
    """Whether the owner and the modes of the YAML deny it.

    They also mask every ACL entry by the permissions of the group. Source: acl(5).
    """
    declared = mapping.declared
    return (
        declared is not None
        and account.name != declared.owner.user
        and not (declared.owner.dirs | declared.owner.files) & 0o022
    )


def _writable_path(inspection: HostInspection, mapping: LocationMapping, account: Account) -> str:
    walk = inspection.access(mapping.path, account)
    if walk.last is None or walk.blocked is not None:
        return ""
    if walk.last.writable:
        return mapping.path
    found = inspection.inventory(mapping.path)
    uploads = _uploads_inside(inspection, mapping)
    for item in found.items if found else ():
        if any(is_inside(f"{mapping.path}/{item.path}", folder) for folder in uploads):
            continue
        if item.stat.kind != "symlink" and allows(item.stat, item.acl, account, WRITE):
            return f"{mapping.path}/{item.path}"
    return ""


RULE = Rule(
    id="writable-static",
    summary="The app or nginx can modify the static files.",
    severity="note",
    help=(
        "Whoever compromises the app can replace the scripts of its pages. Static files "
        "should belong to root."
    ),
    reads=("configuration", "files", "units"),
    guide_rows=("DB10",),
    check=check,
)
