"""What a plan was computed from, as digests: two plans of the same inputs are the same plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict

from reconcile import __version__
from reconcile.engine.digest import digest
from reconcile.engine.model import Change, ConfigOrigin, Digests, PlanInputs
from reconcile.engine.resource import Ref, Resource

NO_SOURCES: Mapping[Ref, str] = {}


def plan_inputs(
    host: str,
    changes: Iterable[Change],
    config: ConfigOrigin | None,
    sources: Mapping[Ref, str] = NO_SOURCES,
) -> PlanInputs:
    """The inputs of a plan; `sources` has a digest for each resource that copies from elsewhere."""
    return PlanInputs(
        host=host,
        version=__version__,
        config=config.digest if config else "",
        changes={
            str(change.ref): (_digests(change.before), _desired_digests(change, sources))
            for change in changes
        },
    )


def fingerprint(inputs: PlanInputs) -> str:
    """One digest of all inputs."""
    return digest(asdict(inputs))


def _desired_digests(change: Change, sources: Mapping[Ref, str]) -> Digests | None:
    digests, source = _digests(change.after), sources.get(change.ref)
    return {**digests, "source": source} if digests is not None and source else digests


def _digests(resource: Resource | None) -> Digests | None:
    return None if resource is None else resource.digests()
