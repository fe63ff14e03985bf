"""From the desired state, the observed one and the ledger to the changes: a pure function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from reconcile.engine.data_protection import Protection, protected_folders, violations
from reconcile.engine.diff import differences
from reconcile.engine.fingerprint import fingerprint, plan_inputs
from reconcile.engine.ledger import LedgerRow, Rows
from reconcile.engine.model import (
    Change,
    ConfigOrigin,
    Conflict,
    Declared,
    Desired,
    FieldChange,
    Finding,
    Ignored,
    Observed,
    Plan,
    Unknown,
)
from reconcile.engine.moves import with_moves
from reconcile.engine.order import in_order
from reconcile.engine.resource import Cause, Owner, Ref, Resource

NEW = LedgerRow()
ROOT = Owner("root", "root")
NOTHING_CREATED: Mapping[Ref, Resource] = {}
NOT_MOVED: Mapping[Ref, Ref] = {}
MOVED: Mapping[Cause, str] = {
    "drift": "changed since the last apply",
    "pending": "the configuration changed",
    "both": "both the configuration and the host changed",
}
CHANGED = "it has changed since it was written; remove it by hand if it is not needed"


def make_plan(
    desired: Desired,
    observed: Observed,
    owned: Rows,
    *,
    host: str,
    applier: Owner = ROOT,
    config: ConfigOrigin | None = None,
    partial: bool = False,
    conflicts: Sequence[Conflict] = (),
    findings: Sequence[Finding] = (),
    created: Mapping[Ref, Resource] = NOTHING_CREATED,
    ignored: Sequence[Ignored] = (),
    protection: Protection | None = None,
    held: frozenset[Ref] = frozenset(),
    moves: Mapping[Ref, Ref] = NOT_MOVED,
) -> Plan:
    """Everything that turns `observed` into `desired`, in order.

    Only a ref that was observed is planned for. An owned one that is no longer desired is
    removed, unless it is protected, its kind is kept, or another resource holds its path (`held`).
    `moves`: what of the removed becomes what of the created, with another name.
    What is created belongs to `applier`.
    Errors: ReconcileError, where requirements form a circle.
    """
    protection = protection or _recorded_protection(desired, owned)
    gone = {ref: row for ref, row in owned.items() if ref not in held}
    undeclared = _removals(desired, observed, gone)
    removed, kept = _removed_and_kept(undeclared, owned, protection)
    made = tuple(_updates(desired, observed, owned, applier, created))
    changes = in_order(with_moves((*made, *removed), moves))
    inputs = plan_inputs(host, changes, config)
    dropped = () if partial else _dropped_sites(removed, desired)
    return Plan(
        host=host,
        changes=changes,
        fingerprint=fingerprint(inputs),
        conflicts=(*conflicts, *violations(desired, protection)),
        unknown=tuple(item for item in observed.values() if isinstance(item, Unknown)),
        findings=_deduplicated(
            *findings, *_observed_findings(observed), *_kept_findings(kept), *dropped
        ),
        ignored=len(ignored),
        ignored_changes=tuple(ignored),
        partial=partial,
        config=config,
        inputs=inputs,
        desired=desired,
        in_sync=_in_sync(desired, observed, {change.ref for change in changes}),
        # In a part, what keeps a directory may not have been selected: the whole decides later.
        released=_released(desired, observed, gone) - (kept.keys() if partial else frozenset()),
    )


def _recorded_protection(desired: Desired, owned: Rows) -> Protection:
    """What is protected, as far as the declarations and the ledger show it."""
    recorded = {ref.name: row.places for ref, row in owned.items() if row.protected}
    return Protection(protected_folders(desired, recorded))


def _removed_and_kept(
    undeclared: Iterator[Change], owned: Rows, protection: Protection
) -> tuple[tuple[Change, ...], dict[Ref, str]]:
    """What is removed of what is no longer declared, and why the rest of it is kept."""
    all_of_it = tuple(undeclared)
    kept = dict(_protected(all_of_it, protection))
    removals = tuple(change for change in all_of_it if change.ref not in kept)
    kept |= dict(_kept(removals, owned))
    return tuple(change for change in removals if change.ref not in kept), kept


def _updates(
    desired: Desired,
    observed: Observed,
    owned: Rows,
    applier: Owner,
    created: Mapping[Ref, Resource],
) -> Iterator[Change]:
    """A creation or an update for each desired resource that the host does not match."""
    for ref, declared in desired.items():
        before = observed.get(ref)
        if ref not in observed or isinstance(before, Unknown):
            continue
        wanted = declared.resource
        if before is None:
            after = created.get(ref, wanted).as_created(applier)
            fields = differences(None, after)
        else:
            after = wanted.with_defaults_from(before)
            fields = differences(before, wanted)
        if fields or before is None:
            yield _change(declared, before, after, fields, owned.get(ref, NEW))


def _change(
    declared: Declared,
    before: Resource | None,
    after: Resource,
    fields: Sequence[FieldChange],
    row: LedgerRow,
) -> Change:
    wanted = declared.resource
    with_causes = tuple(
        replace(item, cause=wanted.cause(item.name, before, row.digests)) for item in fields
    )
    cause = _combined_cause({item.cause for item in with_causes}) if row is not NEW else "pending"
    return Change(
        after.ref,
        before,
        after,
        cause,
        _reason(wanted, cause, before, with_causes, row),
        with_causes,
        declared.sites,
        declared.positions,
    )


def _combined_cause(causes: set[Cause]) -> Cause:
    """The cause of several fields at once; without any field, what is absent has drifted."""
    if not causes:
        return "drift"
    return causes.pop() if len(causes) == 1 else "both"


def _reason(
    wanted: Resource,
    cause: Cause,
    before: Resource | None,
    fields: Sequence[FieldChange],
    row: LedgerRow,
) -> str:
    if before is None:
        return "does not exist yet" if row is NEW else "removed since the last apply"
    own = [why for item in fields if (why := wanted.why(item))]
    if len(own) == len(fields):
        return _join_reasons(own)
    return "; ".join([MOVED[cause] if row is not NEW else "exists but was unmanaged", *own])


def _join_reasons(reasons: Sequence[str]) -> str:
    """One clause after another; what all begin with, such as "reload: ", is written once."""
    action = reasons[0].partition(": ")[0] + ": "
    if all(reason.startswith(action) for reason in reasons):
        return action + "; ".join(reason.removeprefix(action) for reason in reasons)
    return "; ".join(reasons)


def _removals(desired: Desired, observed: Observed, owned: Rows) -> Iterator[Change]:
    """A deletion for each owned resource that exists and that nothing declares any more."""
    declared_as = {ref.name: ref.kind for ref in desired}
    for ref, row in owned.items():
        before = observed.get(ref)
        if ref in desired or before is None or isinstance(before, Unknown):
            continue
        is_succeeded = declared_as.get(ref.name) in before.succeeded_by
        if is_succeeded or not is_removable(before, row):
            continue
        yield Change(
            ref, before, None, "pending", "no longer declared", differences(before, None), row.sites
        )


def is_removable(resource: Resource, row: LedgerRow) -> bool:
    """Whether its kind is removed once undeclared, and it holds nobody's data."""
    if resource.protected or row.protected:
        return False
    always = resource.when_undeclared == "remove"
    return always or (resource.when_undeclared == "remove_if_created" and row.created)


def _protected(removals: Sequence[Change], protection: Protection) -> Iterator[tuple[Ref, str]]:
    """What lies in a protected folder by another name, and in which."""
    for change in removals:
        folder = protection.holds(change.ref.name) or protection.holds_place_of(change.subject)
        if folder:
            yield change.ref, f"it lies in {folder}, which is protected"


def _kept(removals: Sequence[Change], owned: Rows) -> Iterator[tuple[Ref, str]]:
    """What cannot be removed, and why; deepest first, as what is kept keeps its parent."""
    leaving = {change.ref for change in removals}
    for change in sorted(removals, key=lambda change: change.ref.name, reverse=True):
        if why := why_kept(change.subject, owned[change.ref], frozenset(leaving)):
            leaving.remove(change.ref)
            yield change.ref, why


def why_kept(resource: Resource, row: LedgerRow, leaving: frozenset[Ref]) -> str:
    """Why this, no longer declared, is kept once `leaving` are removed; "" if it is not."""
    if not resource.is_as_written(row.digests):
        return CHANGED
    return resource.why_not_removable(leaving)


def _observed_findings(observed: Observed) -> Iterator[Finding]:
    existing = (item for item in observed.values() if isinstance(item, Resource))
    return (finding for item in existing for finding in item.findings())


def _deduplicated(*findings: Finding) -> tuple[Finding, ...]:
    """Several resources may report the same."""
    return tuple(dict.fromkeys(findings))


def _kept_findings(kept: Mapping[Ref, str]) -> Iterator[Finding]:
    for ref, why in kept.items():
        yield Finding("left-behind", "note", f"{ref} is no longer declared but is kept: {why}")


def _dropped_sites(removals: Sequence[Change], desired: Desired) -> Iterator[Finding]:
    """Sites that are removed as a whole: another YAML may still declare them."""
    declared = {site for item in desired.values() for site in item.sites}
    gone = Counter(
        site
        for change in removals
        if change.moved is None
        for site in change.sites
        if site not in declared
    )
    for site, count in sorted(gone.items()):
        resources = "1 resource" if count == 1 else f"{count} resources"
        yield Finding(
            "site-dropped",
            "warning",
            f"Site {site} is no longer in the YAML: {resources} of it will be destroyed.",
            fix="One YAML describes the whole host, or its scope of it. If another file declares"
            " this site, merge the two, or give each a `scope`, before you apply.",
        )


def _in_sync(desired: Desired, observed: Observed, changed: set[Ref]) -> dict[Ref, Resource]:
    return {
        ref: item
        for ref, item in observed.items()
        if ref in desired and ref not in changed and isinstance(item, Resource)
    }


def _released(desired: Desired, observed: Observed, owned: Rows) -> frozenset[Ref]:
    """Rows that need not be kept: undeclared, readable, and not other people's data."""
    return frozenset(
        ref
        for ref, row in owned.items()
        if ref not in desired
        and ref in observed
        and not isinstance(observed[ref], Unknown)
        and not row.protected
    )
