"""The nginx worker may not enter a directory on the way, or not read a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconcile.doctor.evidence import counted, examples, grant, namei, quoted
from reconcile.doctor.host_readings import MOST_ITEMS
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import Mapped
from reconcile.doctor.rule import Inconclusive, Rule, RuleResult, error, note
from reconcile.filesystem.access import EXECUTE, READ, AccessWalk, allows
from reconcile.filesystem.inventory import Inventory


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    for mapped in snapshot.mapped:
        walk = snapshot.walk(mapped.path, snapshot.worker)
        if walk.blocked is not None or (walk.last is not None and not walk.last.passable):
            yield _shut_out(snapshot, mapped, walk)
        elif walk.complete and mapped.role != "other":
            yield from _below(snapshot, mapped)


def _shut_out(snapshot: HostInspection, mapped: Mapped, walk: AccessWalk) -> RuleResult:
    step = walk.blocked or walk.steps[-1]
    who = snapshot.worker
    seen = [line for line in snapshot.error_lines if line.errno == 13 and _is_in(line.path, mapped)]
    return error(
        f"nginx ({who.name}) may not enter {step.path}, so all of {mapped} is 403.",
        *namei(walk, snapshot.host.accounts),
        *(str(line) for line in seen[-1:]),
        fix=grant(step, who, snapshot.host.accounts, "x"),
        by_apply=mapped.declared is not None,
    )


def _is_in(path: str, mapped: Mapped) -> bool:
    return path.startswith(f"{mapped.path}/")


def _below(snapshot: HostInspection, mapped: Mapped) -> Iterator[RuleResult]:
    found = snapshot.inventory(mapped.path)
    if found is None:
        return
    refused = list(_refused(snapshot, found))
    if refused:
        yield error(
            f"nginx ({snapshot.worker.name}) may not read {counted(refused, 'name')}"
            f" in {mapped.path}.",
            f"answered 403: {examples(refused)}",
            fix=f"chmod -R o+rX {quoted(mapped.path)}",
            by_apply=_is_opened(snapshot, mapped, found, refused),
        )
    for folder in found.refused:
        yield Inconclusive(
            f"{found.root}/{folder}", "it cannot be listed by the user who runs this"
        )
    if not found.complete:
        yield note(f"Only the first {MOST_ITEMS} names in {mapped.path} were examined.")


def _is_opened(
    snapshot: HostInspection, mapped: Mapped, found: Inventory, refused: Sequence[str]
) -> bool:
    """Whether the owner and the modes of the YAML let nginx in; of an ACL they change nothing."""
    said, who, names = mapped.declared, snapshot.worker, frozenset(refused)
    return (
        said is not None
        and said.lets(who, READ, folder=False)
        and said.lets(who, EXECUTE, folder=True)
        and not any(item.acl for item in found.items if item.path in names)
    )


def _refused(snapshot: HostInspection, found: Inventory) -> Iterator[str]:
    wanted = {"file": READ, "directory": EXECUTE}
    for item in found.items:
        want = wanted.get(item.stat.kind)
        # What begins with a dot is not meant to be served.
        is_hidden = any(part.startswith(".") for part in item.path.split("/"))
        if want and not is_hidden and not allows(item.stat, item.acl, snapshot.worker, want):
            yield item.path


RULE = Rule("nginx-read", ("CC5", "DB6", "DB9", "DB10", "DB13", "CL5"), look)
