"""Whether two plans are the same plan, and what moved where they are not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict

from reconcile import __version__
from reconcile.engine.digest import digest
from reconcile.engine.model import Change, ConfigOrigin, Digests, Plan, PlanInputs
from reconcile.engine.resource import Ref, Resource

NO_ORIGINS: Mapping[Ref, str] = {}


def basis(
    host: str,
    changes: Iterable[Change],
    config: ConfigOrigin | None,
    origins: Mapping[Ref, str] = NO_ORIGINS,
) -> PlanInputs:
    """What a plan rests on: the host, our version, the YAML, and each change as digests."""
    return PlanInputs(
        host=host,
        version=__version__,
        config=config.digest if config else "",
        changes={
            str(change.ref): (_digests(change.before), _asked(change, origins))
            for change in changes
        },
    )


def fingerprint(of: PlanInputs) -> str:
    return digest(asdict(of))


def same(approved: Plan, now: Plan) -> bool:
    """Whether `now` would do exactly what was approved, to a host that is still as it was."""
    return approved.fingerprint == now.fingerprint


def what_moved(approved: PlanInputs, now: PlanInputs) -> tuple[str, ...]:
    """A sentence for each thing that differs from what was approved; () for the same plan."""
    return tuple(_moved(approved, now))


def _asked(change: Change, origins: Mapping[Ref, str]) -> Digests | None:
    digests, origin = _digests(change.after), origins.get(change.ref)
    return {**digests, "source": origin} if digests is not None and origin else digests


def _digests(resource: Resource | None) -> Digests | None:
    return None if resource is None else resource.digests()


def _moved(approved: PlanInputs, now: PlanInputs) -> Iterator[str]:
    if approved.host != now.host:
        yield f"the plan was made for {approved.host}, this is {now.host}"
    if approved.version != now.version:
        yield f"the plan was made by reconcile {approved.version}, this is {now.version}"
    if approved.config != now.config:
        yield "the YAML is another one"
    for address in sorted(approved.changes.keys() | now.changes.keys()):
        if address not in now.changes:
            yield f"{address} needs no change any more"
        elif address not in approved.changes:
            yield f"{address} needs a change that was not approved"
        else:
            yield from _sides(address, approved.changes[address], now.changes[address])


def _sides(
    address: str,
    approved: tuple[Digests | None, Digests | None],
    now: tuple[Digests | None, Digests | None],
) -> Iterator[str]:
    for old, new, side in zip(approved, now, ("on the host", "as it should be"), strict=True):
        if old == new:
            continue
        if old is None or new is None:
            yield f"{address}: {'appeared' if old is None else 'vanished'} {side}"
            continue
        moved = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
        yield f"{address}: {', '.join(moved)} changed {side}"
