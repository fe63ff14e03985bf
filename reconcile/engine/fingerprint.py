"""What a plan was computed from, as digests: two plans of the same inputs are the same plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from reconcile import __version__
from reconcile.engine.digest import digest
from reconcile.engine.model import Change, ConfigOrigin, Digests, PlanInputs
from reconcile.engine.resource import Resource


def plan_inputs(
    host: str,
    changes: Iterable[Change],
    config: ConfigOrigin | None,
) -> PlanInputs:
    """The inputs of a plan, with a digest of the effects of each change that copies files."""
    return PlanInputs(
        host=host,
        version=__version__,
        config=config.digest if config else "",
        changes={
            str(change.ref): (_digests(change.before), _desired_digests(change))
            for change in changes
        },
    )


def fingerprint(inputs: PlanInputs) -> str:
    """One digest of all inputs."""
    return digest(asdict(inputs))


def _desired_digests(change: Change) -> Digests | None:
    digests, effects = _digests(change.after), (change.before or change.subject).effects_digest()
    return {**digests, "source": effects} if digests is not None and effects else digests


def _digests(resource: Resource | None) -> Digests | None:
    return None if resource is None else resource.digests()
