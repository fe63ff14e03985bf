"""What the host is like now."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from reconcile.engine.model import Finding, Observed, Unknown
from reconcile.engine.resource import Ref, Resource
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import cause

if TYPE_CHECKING:
    from reconcile.system import Host

Make = Callable[[Ref], Resource]


def observe(resources: Iterable[Resource], host: Host) -> dict[Ref, Resource | Unknown | None]:
    """What is there of each resource; a reading that fails is Unknown, with its reason."""
    observed: dict[Ref, Resource | Unknown | None] = {}
    by_kind = sorted(resources, key=attrgetter("ref"))
    for _, group in groupby(by_kind, key=type):
        observed |= _observe_kind(list(group), host)
    return observed


def observe_undeclared(refs: Iterable[Ref], make: Make, host: Host) -> Observed:
    """The same for what is known by name only; a kind that nobody knows is Unknown."""
    made: list[Resource] = []
    unknown: dict[Ref, Resource | Unknown | None] = {}
    for ref in refs:
        try:
            made.append(make(ref))
        except (KeyError, ValueError):
            unknown[ref] = Unknown(ref, f"this version knows no resource {ref}")
    return observe(made, host) | unknown


def source_digests(resources: Iterable[Resource], observed: Observed, host: Host) -> dict[Ref, str]:
    """The origin of each resource that would be made anew."""
    found = {item.ref: item.source_digest(host) for item in _missing(resources, observed)}
    return {ref: origin for ref, origin in found.items() if origin}


def preflight_warnings(
    resources: Iterable[Resource], observed: Observed, host: Host
) -> tuple[Finding, ...]:
    """What each resource that would be made anew has to say before."""
    missing = _missing(resources, observed)
    return tuple(finding for item in missing for finding in item.preflight_warnings(host))


def _missing(resources: Iterable[Resource], observed: Observed) -> list[Resource]:
    return [item for item in resources if observed.get(item.ref, item) is None]


def _observe_kind(resources: list[Resource], host: Host) -> dict[Ref, Resource | Unknown | None]:
    try:
        type(resources[0]).prepare(host, resources)
    except (ReconcileError, OSError) as error:
        return {item.ref: Unknown(item.ref, error_reason(error)) for item in resources}
    return {item.ref: _observe_one(item, host) for item in resources}


def _observe_one(resource: Resource, host: Host) -> Resource | Unknown | None:
    try:
        return resource.observe(host)
    except (ReconcileError, OSError) as error:
        return Unknown(resource.ref, error_reason(error))


def error_reason(error: ReconcileError | OSError) -> str:
    """An error in one line."""
    if isinstance(error, ReconcileError):
        return f"{error.what.rstrip('.')}: {error.why}" if error.why else error.what
    return cause(error)
