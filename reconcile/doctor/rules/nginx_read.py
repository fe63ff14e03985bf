"""The nginx worker may not enter a directory on the way, or not read a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from shlex import quote

from reconcile.doctor.evidence import counted, examples, grant_command, namei
from reconcile.doctor.host_readings import MOST_ITEMS
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Inconclusive, Rule, RuleResult, error, note
from reconcile.filesystem.access_check import EXECUTE, READ, AccessWalk, allows
from reconcile.filesystem.inventory import Inventory


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    for mapping in inspection.mappings:
        walk = inspection.access(mapping.path, inspection.worker)
        if walk.blocked is not None or (walk.last is not None and not walk.last.passable):
            yield _shut_out(inspection, mapping, walk)
        elif walk.complete and mapping.role != "other":
            yield from _below(inspection, mapping)


def _shut_out(inspection: HostInspection, mapping: LocationMapping, walk: AccessWalk) -> RuleResult:
    step = walk.blocked or walk.steps[-1]
    who = inspection.worker
    seen = [
        line for line in inspection.error_lines if line.errno == 13 and _is_in(line.path, mapping)
    ]
    return error(
        f"nginx ({who.name}) may not enter {step.path}, so all of {mapping} is 403.",
        *namei(walk, inspection.host.accounts),
        *(str(line) for line in seen[-1:]),
        fix=grant_command(step, who, inspection.host.accounts, "x"),
        by_apply=mapping.declared is not None,
    )


def _is_in(path: str, mapping: LocationMapping) -> bool:
    return path.startswith(f"{mapping.path}/")


def _below(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    found = inspection.inventory(mapping.path)
    if found is None:
        return
    refused = list(_refused(inspection, found))
    if refused:
        yield error(
            f"nginx ({inspection.worker.name}) may not read {counted(refused, 'name')}"
            f" in {mapping.path}.",
            f"answered 403: {examples(refused)}",
            fix=f"chmod -R o+rX {quote(mapping.path)}",
            by_apply=_is_opened(inspection, mapping, found, refused),
        )
    for folder in found.refused:
        yield Inconclusive(
            f"{found.root}/{folder}", "it cannot be listed by the user who runs this"
        )
    if not found.complete:
        yield note(f"Only the first {MOST_ITEMS} names in {mapping.path} were examined.")


def _is_opened(
    inspection: HostInspection, mapping: LocationMapping, found: Inventory, refused: Sequence[str]
) -> bool:
    """Whether the owner and the modes of the YAML let nginx in; of an ACL they change nothing."""
    said, who, names = mapping.declared, inspection.worker, frozenset(refused)
    return (
        said is not None
        and said.lets(who, READ, folder=False)
        and said.lets(who, EXECUTE, folder=True)
        and not any(item.acl for item in found.items if item.path in names)
    )


def _refused(inspection: HostInspection, found: Inventory) -> Iterator[str]:
    wanted = {"file": READ, "directory": EXECUTE}
    for item in found.items:
        want = wanted.get(item.stat.kind)
        # What begins with a dot is not meant to be served.
        is_hidden = any(part.startswith(".") for part in item.path.split("/"))
        if want and not is_hidden and not allows(item.stat, item.acl, inspection.worker, want):
            yield item.path


RULE = Rule("nginx-read", ("CC5", "DB6", "DB9", "DB10", "DB13", "CL5"), check)
