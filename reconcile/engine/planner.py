"""From what should be, what is and what we own to the changes: a pure function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from reconcile.engine.data_protection import (
    UNKNOWN,
    Lineages,
    is_protected,
    protected_names,
    violations,
)
from reconcile.engine.diff import differences
from reconcile.engine.fingerprint import NO_SOURCES, fingerprint, plan_inputs
from reconcile.engine.ledger import LedgerRow, Rows
from reconcile.engine.model import (
    BehaviourChange,
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
from reconcile.engine.order import in_order
from reconcile.engine.resource import Cause, Ref, Resource

NEW = LedgerRow()


def make_plan(
    desired: Desired,
    observed: Observed,
    owned: Rows,
    *,
    host: str,
    config: ConfigOrigin | None = None,
    partial: bool = False,
    conflicts: Sequence[Conflict] = (),
    findings: Sequence[Finding] = (),
    behaviour_changes: Sequence[BehaviourChange] = (),
    sources: Mapping[Ref, str] = NO_SOURCES,
    ignored: Sequence[Ignored] = (),
    lineages: Lineages = UNKNOWN,
) -> Plan:
    """Everything that would make `observed` what is `desired`, in order.

    A ref is planned for only where it was observed; an owned one that is no
    longer desired is removed, unless it is protected or its kind is left behind.
    """
    protected = protected_names(desired, (ref for ref, row in owned.items() if row.protected))
    wanted = tuple(_wanted(desired, observed, owned))
    removals = tuple(_removals(desired, observed, owned, protected))
    staying = dict(_staying(removals))
    leaving = tuple(change for change in removals if change.ref not in staying)
    changes = in_order((*wanted, *leaving))
    rests_on = plan_inputs(host, changes, config, sources)
    return Plan(
        host=host,
        changes=changes,
        fingerprint=fingerprint(rests_on),
        conflicts=(*conflicts, *violations(desired, protected, lineages)),
        unknown=tuple(item for item in observed.values() if isinstance(item, Unknown)),
        findings=_each_once(
            *findings,
            *_seen(observed),
            *_left_behind(staying),
            *(() if partial else _dropped_sites(leaving, desired)),
        ),
        behaviour_changes=tuple(behaviour_changes),
        ignored=len(ignored),
        ignored_changes=tuple(ignored),
        partial=partial,
        config=config,
        inputs=rests_on,
        desired=desired,
        in_sync=_in_sync(desired, observed, {change.ref for change in changes}),
        released=_released(desired, observed, owned),
    )


def _wanted(desired: Desired, observed: Observed, owned: Rows) -> Iterator[Change]:
    """A creation or an update for each desired resource that the host does not hold."""
    for ref, declared in desired.items():
        before = observed.get(ref)
        if ref not in observed or isinstance(before, Unknown):
            continue
        asked = declared.resource
        fields = differences(before, asked.with_defaults_from(None) if before is None else asked)
        if fields or before is None:
            yield _change(ref, declared, before, fields, owned.get(ref, NEW))


def _change(
    ref: Ref,
    declared: Declared,
    before: Resource | None,
    fields: Sequence[FieldChange],
    row: LedgerRow,
) -> Change:
    asked = declared.resource
    tagged = tuple(
        replace(item, cause=asked.cause(item.name, before, row.digests)) for item in fields
    )
    cause = _together({item.cause for item in tagged}) if row is not NEW else "pending"
    return Change(
        ref,
        before,
        asked.with_defaults_from(before),
        cause,
        _because(asked, cause, before, tagged, row),
        tagged,
        declared.sites,
        declared.positions,
    )


def _together(causes: set[Cause]) -> Cause:
    """The cause of several fields at once; a thing without fields that is gone has drifted."""
    if not causes:
        return "drift"
    return causes.pop() if len(causes) == 1 else "both"


def _because(
    asked: Resource,
    cause: Cause,
    before: Resource | None,
    fields: Sequence[FieldChange],
    row: LedgerRow,
) -> str:
    if before is None:
        return "not on the host yet" if row is NEW else "removed since the last apply"
    own = [why for item in fields if (why := asked.why(item))]
    names = ", ".join(item.name for item in fields if not asked.why(item))
    if not names:
        return "; ".join(own)
    return "; ".join([_moved(cause, names) if row is not NEW else "not managed until now", *own])


def _moved(cause: Cause, names: str) -> str:
    return {
        "drift": f"{names} changed since the last apply",
        "pending": f"the configuration changed: {names}",
        "both": f"the configuration changed, and so did the host: {names}",
    }[cause]


def _removals(
    desired: Desired, observed: Observed, owned: Rows, protected: frozenset[str]
) -> Iterator[Change]:
    """A deletion for each owned resource that is there and that nothing declares any more."""
    declared_as = {ref.name: ref.kind for ref in desired}
    for ref, row in owned.items():
        there = observed.get(ref)
        if ref in desired or there is None or isinstance(there, Unknown):
            continue
        inherited = declared_as.get(ref.name) in there.succeeded_by
        if inherited or is_protected(ref.name, protected) or not _removable(there, row):
            continue
        yield Change(
            ref, there, None, "pending", "no longer declared", differences(there, None), row.sites
        )


def _removable(resource: Resource, row: LedgerRow) -> bool:
    if resource.protected or row.protected:
        return False
    always = resource.when_undeclared == "remove"
    return always or (resource.when_undeclared == "remove_if_created" and row.created)


def _staying(removals: Sequence[Change]) -> Iterator[tuple[Ref, str]]:
    """What would not be gone after all, and why; deepest first, so that a parent knows."""
    leaving = {change.ref for change in removals}
    for change in sorted(removals, key=lambda change: change.ref.name, reverse=True):
        why = change.subject.why_not_removable(frozenset(leaving))
        if why:
            leaving.remove(change.ref)
            yield change.ref, why


def _seen(observed: Observed) -> Iterator[Finding]:
    there = (one for one in observed.values() if isinstance(one, Resource))
    return (finding for one in there for finding in one.findings())


def _each_once(*findings: Finding) -> tuple[Finding, ...]:
    """What several resources tell alike is told once."""
    return tuple(dict.fromkeys(findings))


def _left_behind(staying: Mapping[Ref, str]) -> Iterator[Finding]:
    for ref, why in staying.items():
        told = f"{ref} is no longer declared, but stays: {why}"
        yield Finding("left-behind", "note", told)


def _dropped_sites(removals: Sequence[Change], desired: Desired) -> Iterator[Finding]:
    """Sites that go as a whole: they may well stand in another YAML."""
    declared = {site for item in desired.values() for site in item.sites}
    gone = Counter(site for change in removals for site in change.sites if site not in declared)
    for site, count in sorted(gone.items()):
        things = "resource" if count == 1 else "resources"
        yield Finding(
            "site-dropped",
            "warning",
            f"The YAML has no site {site}: {count} {things} of it will be destroyed.",
            fix="One YAML describes the whole host. If another one has that site, bring both"
            " into one file before you apply.",
        )


def _in_sync(desired: Desired, observed: Observed, changed: set[Ref]) -> dict[Ref, Resource]:
    return {
        ref: there
        for ref, there in observed.items()
        if ref in desired and ref not in changed and isinstance(there, Resource)
    }


def _released(desired: Desired, observed: Observed, owned: Rows) -> frozenset[Ref]:
    """Rows that need not be kept: undeclared, readable, and nobody's data."""
    return frozenset(
        ref
        for ref, row in owned.items()
        if ref not in desired
        and ref in observed
        and not isinstance(observed[ref], Unknown)
        and not row.protected
    )
