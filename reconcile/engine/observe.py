"""Reading what exists on the host now."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from reconcile.engine.model import Finding, Observed, Unknown
from reconcile.engine.resource import Ref, Resource
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import in_one_line

if TYPE_CHECKING:
    from reconcile.system import Host

MakeResource = Callable[[Ref], Resource]


def observe(resources: Iterable[Resource], host: Host) -> dict[Ref, Resource | Unknown | None]:
    """Each resource as it is, None if absent; Unknown with its reason if it cannot be read."""
    observed: dict[Ref, Resource | Unknown | None] = {}
    by_kind = sorted(resources, key=attrgetter("ref"))
    for _, group in groupby(by_kind, key=type):
        observed |= _observe_kind(list(group), host)
    return observed


def observe_undeclared(refs: Iterable[Ref], make: MakeResource, host: Host) -> Observed:
    """The same for resources known only by name; Unknown where this version lacks the kind."""
    made: list[Resource] = []
    unknown: dict[Ref, Resource | Unknown | None] = {}
    for ref in refs:
        try:
            made.append(make(ref))
        except (KeyError, ValueError):
            unknown[ref] = Unknown(ref, f"this version has no kind {ref.kind}")
    return observe(made, host) | unknown


def source_digests(resources: Iterable[Resource], observed: Observed, host: Host) -> dict[Ref, str]:
    """The source digest of each resource that is absent and copies from elsewhere."""
    found = {item.ref: item.source_digest(host) for item in _absent(resources, observed)}
    return {ref: source for ref, source in found.items() if source}


def preflight_warnings(
    resources: Iterable[Resource], observed: Observed, host: Host
) -> tuple[Finding, ...]:
    """The warnings of each resource that is absent."""
    absent = _absent(resources, observed)
    return tuple(finding for item in absent for finding in item.preflight_warnings(host))


def _absent(resources: Iterable[Resource], observed: Observed) -> list[Resource]:
    return [item for item in resources if observed.get(item.ref, item) is None]


def _observe_kind(resources: list[Resource], host: Host) -> dict[Ref, Resource | Unknown | None]:
    try:
        type(resources[0]).prepare(host, resources)
    except (ReconcileError, OSError) as error:
        return {item.ref: Unknown(item.ref, in_one_line(error)) for item in resources}
    return {item.ref: _observe_one(item, host) for item in resources}


def _observe_one(resource: Resource, host: Host) -> Resource | Unknown | None:
    try:
        return resource.observe(host)
    except (ReconcileError, OSError) as error:
        return Unknown(resource.ref, in_one_line(error))
