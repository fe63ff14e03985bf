"""The nginx worker lacks `x` on a directory of the path, or `r` on a file: 403."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from shlex import quote

from reconcile.doctor.denial_causes import denial_cause, is_explained
from reconcile.doctor.evidence import namei
from reconcile.doctor.host_readings import MAX_ITEMS
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Inconclusive, Rule, RuleResult, caused, error, note, warning
from reconcile.filesystem.access_check import EXECUTE, READ, allows
from reconcile.filesystem.access_walk import AccessWalk
from reconcile.filesystem.grant import can_set_acls, grant_commands
from reconcile.filesystem.inventory import Inventory
from reconcile.filesystem.path import is_inside
from reconcile.nginx.routing.uri import escaped
from reconcile.system.accounts import Account
from reconcile.wording import counted, first_few

MOST_LINKS = 200
FEW = 5
"""Files that a fix names one by one."""


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each folder that the worker cannot enter, or file it cannot read."""
    for mapping in inspection.mappings:
        if is_explained(inspection, mapping):
            continue
        walk = inspection.access(mapping.path, inspection.nginx.worker)
        last = walk.last if walk.last and walk.last.stat.kind == "directory" else None
        if walk.blocked is not None or (last is not None and not last.passable):
            yield _denied_folder(inspection, mapping, walk)
        elif walk.complete and mapping.role != "other":
            yield from _check_contents(inspection, mapping)


def _denied_folder(
    inspection: HostInspection, mapping: LocationMapping, walk: AccessWalk
) -> RuleResult:
    step = walk.blocked or walk.steps[-1]
    worker, accounts = inspection.nginx.worker, inspection.host.accounts
    lines = (line for line in inspection.nginx.error_lines if line.errno == 13)
    logged = [str(line) for line in lines if is_inside(line.path, mapping.path)]
    found = error(
        f"nginx ({worker.name}) cannot enter {step.path}: everything in {mapping} returns 403.",
        *namei(walk, accounts),
        *logged[-1:],
        fix=grant_commands(walk.denied, worker),
        apply_fixes=mapping.declared is not None,
    )
    return caused(found, denial_cause(inspection, mapping.path))


def _check_contents(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    found = inspection.inventory(mapping.path)
    if found is None:
        return
    denied = list(_denied_names(inspection, found))
    if denied:
        found_error = error(
            f"nginx ({inspection.nginx.worker.name}) cannot read {counted(len(denied), 'file')}"
            f" in {mapping.path}.",
            f"403: {first_few(denied)}",
            fix=_contents_fix(inspection.nginx.worker, mapping.path, denied),
            apply_fixes=_is_fixed_by_apply(inspection, mapping, found, denied),
        )
        yield caused(found_error, f"files in {mapping.path}")
    yield from _check_links(inspection, mapping, found)
    for folder in found.unreadable:
        yield Inconclusive(f"{found.root}/{folder}", "this user cannot list it")
    if not found.complete:
        yield note(f"Only the first {MAX_ITEMS} files in {mapping.path} were examined.")


def _check_links(
    inspection: HostInspection, mapping: LocationMapping, found: Inventory
) -> Iterator[RuleResult]:
    """Links that lead nowhere, where nginx may not go, and those that disable_symlinks forbids."""
    links = [one for one in found.of_kind("symlink") if not one.is_hidden][:MOST_LINKS]
    kinds = {one.path: inspection.nginx.disk.kind(f"{mapping.path}/{one.path}") for one in links}
    if void := [name for name in kinds if kinds[name] == "missing"]:
        yield warning(
            f"{counted(len(void), 'link')} in {mapping.path} lead to nothing (404).",
            *_targets(inspection, mapping, void),
            fix=f"Create what they lead to, or remove them: find {quote(mapping.path)} -xtype l",
        )
    if closed := [name for name in kinds if kinds[name] in ("denied", "unreadable")]:
        yield _closed_targets(inspection, mapping, closed)
    # A link out of the uploads is what is to be denied: who makes one chooses what it publishes.
    planted = {one.path for one in links if mapping.role == "media" and mapping.leads_out(one)}
    open_ones = (name for name in kinds if kinds[name] == "file" and name not in planted)
    if refused := [name for name in open_ones if _is_refused(inspection, mapping, name)]:
        written = mapping.scope.inherited("disable_symlinks")[-1]
        yield error(
            f"disable_symlinks denies visitors {counted(len(refused), 'link')} in {mapping.path}.",
            f"{written.place}: disable_symlinks {' '.join(written.args)};",
            *_targets(inspection, mapping, refused),
            fix="If visitors may have them, replace the links by what they lead to (cp -rL), or,"
            " with if_not_owner, give each link the owner of its target: chown -h OWNER LINK; else"
            " remove the links.",
        )


def _closed_targets(
    inspection: HostInspection, mapping: LocationMapping, names: Sequence[str]
) -> RuleResult:
    """What lies elsewhere may be closed on purpose: no command opens it."""
    worker = inspection.nginx.worker
    walk = inspection.access(f"{mapping.path}/{names[0]}", worker)
    return warning(
        f"nginx ({worker.name}) cannot read what {counted(len(names), 'link')} in {mapping.path}"
        " lead to (403).",
        *_targets(inspection, mapping, names),
        *namei(walk, inspection.host.accounts),
        fix=f"If visitors may have them, put copies into {mapping.path} in place of the links"
        " (collectstatic without --link, cp -rL); else remove the links.",
    )


def _targets(
    inspection: HostInspection, mapping: LocationMapping, names: Sequence[str]
) -> list[str]:
    paths = [f"{mapping.path}/{name}" for name in names[:FEW]]
    return [f"{path} -> {inspection.host.files.readlink(path)}" for path in paths]


def _is_refused(inspection: HostInspection, mapping: LocationMapping, name: str) -> bool:
    if mapping.scope.argument("disable_symlinks", "off") == "off":
        return False
    if mapping.is_internal or not mapping.prefix.endswith("/"):
        return False
    route = inspection.nginx.try_route(mapping.server, mapping.prefix + escaped(name))
    at = route.location if route else None
    is_own = at is not None and at.directive == mapping.scope.directive
    return bool(is_own and route and route.answer.kind == "error")


def _contents_fix(worker: Account, folder: str, denied: Sequence[str]) -> str:
    """Hidden files stay closed, and a link opens nothing elsewhere."""
    grant = f"setfacl -m u:{quote(worker.name)}:rX" if can_set_acls() else "chmod o+rX"
    if len(denied) <= FEW:
        return f"{grant} {' '.join(quote(f'{folder}/{name}') for name in denied)}"
    kinds = "\\( -type f -o -type d \\)"
    return f"find {quote(folder)} -mindepth 1 -name '.*' -prune -o {kinds} -exec {grant} {{}} +"


def _is_fixed_by_apply(
    inspection: HostInspection, mapping: LocationMapping, found: Inventory, denied: Sequence[str]
) -> bool:
    """Whether the owner and the modes of the YAML let nginx in; they do not change an ACL."""
    declared, worker, names = mapping.declared, inspection.nginx.worker, frozenset(denied)
    return (
        declared is not None
        and declared.lets(worker, READ, folder=False)
        and declared.lets(worker, EXECUTE, folder=True)
        and not any(item.acl for item in found.items if item.path in names)
    )


def _denied_names(inspection: HostInspection, found: Inventory) -> Iterator[str]:
    needed = {"file": READ, "directory": EXECUTE}
    for item in found.items:
        bits = needed.get(item.stat.kind)
        worker = inspection.nginx.worker
        # Hidden files should not be served.
        if bits and not item.is_hidden and not allows(item.stat, item.acl, worker, bits):
            yield item.path


RULE = Rule(
    id="nginx-read",
    summary="nginx cannot read the served files, or enter a directory above them.",
    severity="error",
    help=(
        "Every file behind the folder returns 403. The workers need x on each directory "
        "of the path and r on the file."
    ),
    reads=("configuration", "files"),
    guide_rows=("CC5", "DB6", "DB9", "DB10", "DB13", "CL5"),
    check=check,
)
