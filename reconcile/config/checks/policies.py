"""Owners and cache policies have to say something, and one thing only."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.config.checks.fault import Fault
from reconcile.config.models.caches import CachePolicy
from reconcile.config.models.owners import Owner
from reconcile.config.models.spec import Spec
from reconcile.config.nodes import Loc


def check_policies(spec: Spec) -> Iterator[Fault]:
    for name, policy in spec.cache_policies.items():
        yield from _check_cache(("cache_policies", name), policy)
    for loc, owner in _described_owners(spec):
        if owner == Owner():
            yield Fault(loc, "this owner says nothing", "give it a user, a group or modes")


def _check_cache(loc: Loc, policy: CachePolicy) -> Iterator[Fault]:
    if not policy.no_store and policy.max_age is None:
        yield Fault((*loc, "max_age"), "max_age is missing", "give a duration, or no_store: true")
    if policy.no_store and policy.max_age is not None:
        yield Fault((*loc, "max_age"), "what is not stored has no age", "keep one of the two")
    if policy.no_store and policy.immutable:
        yield Fault((*loc, "immutable"), "what is not stored cannot be kept", "keep one of the two")


def _described_owners(spec: Spec) -> Iterator[tuple[Loc, Owner]]:
    for name, owner in spec.owners.items():
        yield ("owners", name), owner
    for path, entry in spec.paths.items():
        if isinstance(entry.owner, Owner):
            yield ("paths", path, "owner"), entry.owner
    for name, site in spec.sites.items():
        for prefix, location in site.locations.items():
            if isinstance(location.owner, Owner):
                yield ("sites", name, "locations", prefix, "owner"), location.owner
