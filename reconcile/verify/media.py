"""What the app saves is what visitors load: a canary written as the app's user."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from reconcile.engine.model import Check
from reconcile.errors import ReconcileError
from reconcile.system.canary import Canary, create, remove, remove_stale
from reconcile.system.processes import NotRoot
from reconcile.verify.asking import Asker, over
from reconcile.verify.judge import judged
from reconcile.verify.model import Expectation, MediaCanary

if TYPE_CHECKING:
    from reconcile.system import Host

HIDDEN = Expectation(status=frozenset({403, 404}))


def plant_canary(probe: MediaCanary, host: Host, canary: Canary) -> Check | None:
    """Put the canary into the media directory; the check that says why it cannot be done."""
    try:
        remove_stale(host, probe.dir, writer=probe.writer)
        create(host, probe.dir, canary, mode=probe.mode, writer=probe.writer)
    except NotRoot as refused:
        what = f"nothing written to {probe.dir} as {_who(probe)}: {refused.why}. {refused.fix}"
        return Check(probe.name, "unknown", what)
    except (OSError, ReconcileError) as problem:
        what = f"{_who(probe)} cannot write to {probe.dir}: {_why(problem)}"
        return Check(probe.name, "fail", what)
    return None


def clear_canary(probe: MediaCanary, host: Host, canary: Canary) -> Check | None:
    """Take the canary away; a failed check where it had to stay."""
    try:
        remove(host, probe.dir, canary, writer=probe.writer)
    except (OSError, ReconcileError) as problem:
        what = f"{probe.dir}/{canary.name} could not be removed: {_why(problem)}"
        return Check(f"{probe.name} removed", "fail", what)
    return None


def media_checks(probe: MediaCanary, canary: Canary, asker: Asker) -> tuple[Check, ...]:
    """One check an address: the canary comes back whole, its hidden twin does not."""
    return tuple(
        asker.settled(partial(_check, probe, canary, asker, address))
        for address in probe.endpoint.addresses
    )


def _check(probe: MediaCanary, canary: Canary, asker: Asker, address: str) -> Check:
    name = f"{probe.name} over {over(address)}"
    expect = replace(probe.expect, body=canary.content.decode())
    seen = judged(name, asker.get(probe.endpoint, address, probe.prefix + canary.name), expect)
    if seen.status != "pass":
        return seen
    hidden = asker.get(probe.endpoint, address, probe.prefix + canary.hidden_name)
    refused = judged(name, hidden, HIDDEN)
    if refused.status != "pass":
        return replace(refused, detail=f"a name that begins with a dot: {refused.detail}")
    return replace(seen, detail=f"{seen.detail}, written as {_who(probe)} and loaded")


def _who(probe: MediaCanary) -> str:
    return probe.writer or "this user"


def _why(problem: OSError | ReconcileError) -> str:
    if isinstance(problem, OSError):
        return problem.strerror or str(problem)
    return f"{problem.what}: {problem.why}"
