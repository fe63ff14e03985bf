"""Plans that are refused although they are correct."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from dataclasses import replace
from typing import TYPE_CHECKING

from reconcile.engine.model import Change, Changes, Finding, Plan
from reconcile.engine.scopes import FIELD
from reconcile.errors import ReconcileError
from reconcile.wording import counted

if TYPE_CHECKING:
    from reconcile.system import Host


def with_refusals(plan: Plan, world: Host) -> Plan:
    """`plan` with every reason for which an apply would refuse it, as errors and as findings.

    `world` is the host as the plan will leave it.
    """
    refusals: list[ReconcileError] = []
    notes: list[str] = []
    # What could not be read refuses the plan already.
    unknown = {reading.ref for reading in plan.unknown}
    changes = Changes.of(plan.changes)
    for declared in (item for ref, item in plan.desired.items() if ref not in unknown):
        try:
            notes += declared.resource.preflight(world, changes)
        except ReconcileError as error:
            refusals.append(error)
    noted = (Finding("config-test", "note", note) for note in notes)
    refused = with_errors(plan, refusals)
    return replace(refused, findings=(*refused.findings, *noted))


def with_errors(plan: Plan, errors: Sequence[ReconcileError]) -> Plan:
    """`plan` with further reasons for which an apply would refuse it."""
    findings = tuple(_refusal_finding(error) for error in errors)
    return replace(
        plan,
        refusals=(*plan.refusals, *errors),
        findings=(*plan.findings, *findings),
    )


def _refusal_finding(error: ReconcileError) -> Finding:
    fix = error.fix.removesuffix("Nothing was changed.").strip()
    if fix and not fix.endswith("."):
        # A command: what follows must not become a part of it.
        fix += "."
    evidence = (error.why,) if error.why else ()
    return Finding(
        error.rule, "error", error.what, evidence, f"{fix} Apply refuses until then.".lstrip()
    )


def refuse_unclear(plan: Plan) -> None:
    """Refuse a plan that contradicts itself, is incomplete, or would fail."""
    # In the order of causes: two declarations that disagree leave one that cannot be read, and
    # what cannot be read has refusals as its consequence.
    if plan.conflicts:
        raise _conflict_error(plan)
    if plan.unknown:
        raise ReconcileError(
            "A part of the host could not be read.",
            _unread(plan),
            "Remove the cause, or skip that part with --exclude. Nothing was changed.",
        )
    for error in plan.refusals:
        raise error


def _unread(plan: Plan) -> str:
    """What could not be read, each reason once."""
    found: dict[str, list[str]] = {}
    for unknown in plan.unknown:
        found.setdefault(unknown.reason, []).append(str(unknown.ref))
    return "; ".join(f"{', '.join(refs)}: {reason}" for reason, refs in found.items())


def _conflict_error(plan: Plan) -> ReconcileError:
    why = "; ".join(
        f"{c.ref} {c.contradiction}, {', '.join(c.values)}"
        f" ({', '.join(str(place) for place in c.positions)})"
        for c in plan.conflicts
    )
    return ReconcileError(
        "The configuration has conflicting declarations.",
        why,
        f"{_correction(plan)} Nothing was changed.",
    )


def _correction(plan: Plan) -> str:
    if any(conflict.field == FIELD for conflict in plan.conflicts):
        return (
            "Declare it in one of the files; `reconcile state forget ADDRESS -f` of the other one"
            " passes on what it owns."
        )
    return "Make the declarations agree."


def refuse_excess(plan: Plan, *, max_deletes: int | None) -> None:
    """Refuse a plan that deletes more than `max_deletes` resources and files inside of them."""
    if max_deletes is not None and plan.deletions > max_deletes:
        resources = plan.count("delete")
        raise ReconcileError(
            f"The plan deletes {plan.deletions}; the limit is {max_deletes}.",
            f"{counted(resources, 'resource')} and"
            f" {counted(plan.deletions - resources, 'file')} inside of resources",
            "Review the plan; if it is right, raise --max-deletes. Nothing was changed.",
        )


def refuse_excessive_share(plan: Plan, owned: int, share: float) -> None:
    """Refuse a plan that removes or releases more than `share` of what is owned (0 to 1).

    Resources are compared with resources, and the files that go inside of one with its files.
    """
    for change in plan.changes:
        _refuse_excessive_files(change, share)
    released = len(plan.released)
    if released > owned * share:
        raise ReconcileError(
            f"The plan removes or releases {released} of {owned} owned resources.",
            f"an unattended apply may remove or release {share:.0%} of them",
            "Review the plan; if it is right, use --max-deletes, or apply it yourself."
            " Nothing was changed.",
        )


def _refuse_excessive_files(change: Change, share: float) -> None:
    if change.before is None or change.after is None:
        return
    removed, files = change.files_removed, change.before.file_count()
    if removed > files * share:
        raise ReconcileError(
            f"The plan removes {removed} of {files} files of {change.ref}.",
            f"an unattended apply may remove {share:.0%} of them",
            "Review the plan; if it is right, use --max-deletes, or apply it yourself."
            " Nothing was changed.",
        )


def refuse_emptying(declared: Sized, released: Sized, *, allow_empty: bool) -> None:
    """Refuse a YAML that declares nothing if anything is owned: probably the wrong file."""
    if released and not declared and not allow_empty:
        raise ReconcileError(
            "The configuration declares nothing.",
            f"reconcile would remove or release all {len(released)} resources that it owns",
            "Check the file; if that is what you want, use --allow-empty. Nothing was changed.",
        )
