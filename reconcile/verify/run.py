"""Ask a host every question, all at once, until the answers are good or time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from reconcile.engine.model import Check
from reconcile.system.canary import Canary
from reconcile.verify.asking import Asker, in_parallel, over
from reconcile.verify.judge import judged
from reconcile.verify.media import clear_canary, media_checks, plant_canary
from reconcile.verify.model import HttpProbe, MediaCanary, Probe, UploadProbe
from reconcile.verify.upload import upload_check

if TYPE_CHECKING:
    from reconcile.system import Host

SETTLE_S = 5.0
"""How long a bad answer may still be that of a reload or of an app that starts."""
TIMEOUT_S = 5.0
"""How long one exchange may take."""


@dataclass
class Planted:
    """A canary from before it is written, so that nothing can come between the two."""

    canary: Canary = field(default_factory=Canary.new)
    problem: Check | None = None


Canaries = dict[MediaCanary, Planted]


def verify(
    probes: Sequence[Probe],
    host: Host,
    *,
    settle_s: float = SETTLE_S,
    timeout_s: float = TIMEOUT_S,
) -> tuple[Check, ...]:
    """One check for each probe and address, in the order of `probes`.

    Errors: none; what cannot be asked is a failed check. Every canary is removed
    again; where that cannot be done, a failed check says so.
    """
    asker = Asker(host.http, timeout_s, time.monotonic() + settle_s)
    canaries: Canaries = {}
    try:
        # Before any thread starts: a canary is written by a fork.
        for probe in _of_media(probes):
            planted = canaries[probe] = Planted()
            planted.problem = plant_canary(probe, host, planted.canary)
        asked = in_parallel(
            [partial(_checks, probe, canaries, asker) for probe in probes], asker.given_up
        )
    finally:
        left = _cleared(canaries, host)
    return asked + left


def only_bearable(
    probes: Iterable[Probe], host: Host, *, timeout_s: float = TIMEOUT_S
) -> tuple[HttpProbe, ...]:
    """Those that are answered bearably at this moment, and no better."""
    asker = Asker(host.http, timeout_s, time.monotonic())
    bearing = [probe for probe in probes if isinstance(probe, HttpProbe) and probe.bearable]
    fair = in_parallel([partial(_fair, probe, asker) for probe in bearing], asker.given_up)
    names = {check.name for check in fair}
    return tuple(probe for probe in bearing if probe.name in names)


def _of_media(probes: Iterable[Probe]) -> Iterable[MediaCanary]:
    return (probe for probe in probes if isinstance(probe, MediaCanary))


def _cleared(canaries: Canaries, host: Host) -> tuple[Check, ...]:
    """Failed checks for what could not be removed; what was never written cannot be left."""
    left = (
        clear_canary(probe, host, planted.canary)
        for probe, planted in canaries.items()
        if planted.problem is None
    )
    return tuple(check for check in left if check is not None)


def _checks(probe: Probe, canaries: Canaries, asker: Asker) -> tuple[Check, ...]:
    if isinstance(probe, HttpProbe):
        return _http_checks(probe, asker)
    if isinstance(probe, UploadProbe):
        return (upload_check(probe, asker),)
    planted = canaries[probe]
    if planted.problem:
        return (planted.problem,)
    return media_checks(probe, planted.canary, asker)


def _http_checks(probe: HttpProbe, asker: Asker) -> tuple[Check, ...]:
    return tuple(
        asker.settled(_once(probe, asker, address)) for address in probe.endpoint.addresses
    )


def _once(probe: HttpProbe, asker: Asker, address: str) -> Callable[[], Check]:
    name = f"{probe.name} over {over(address)}"
    return lambda: judged(name, asker.get(probe.endpoint, address, probe.path), probe.expect)


def _fair(probe: HttpProbe, asker: Asker) -> tuple[Check, ...]:
    """The checks that fail, and pass where no more than what is bearable is asked for."""
    answers = [asker.get(probe.endpoint, at, probe.path) for at in probe.endpoint.addresses]
    checks = (
        (judged(probe.name, answer, probe.expect), judged(probe.name, answer, probe.borne.expect))
        for answer in answers
    )
    return tuple(fair for well, fair in checks if (well.status, fair.status) == ("fail", "pass"))
