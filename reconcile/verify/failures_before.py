"""What failed before an apply: the apply did not cause it, unless it made it worse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from reconcile.config.probes import CrawlProbe, Expectation, HttpProbe, Probe
from reconcile.dataclass import dataclass
from reconcile.engine.checks import without_version
from reconcile.engine.model import Check
from reconcile.verify.run_probes import run_probes

if TYPE_CHECKING:
    from reconcile.system import Host

RETRY_S = 1.0
"""How long a bad response may be a passing one where nothing was just reloaded."""


@dataclass(frozen=True)
class FailuresBefore:
    """The names of the checks that failed; `below_minimum` even at their probe's minimum."""

    failed: frozenset[str] = frozenset()
    below_minimum: frozenset[str] = frozenset()

    def excuse(
        self, checks: Sequence[Check], probes: Sequence[Probe], host: Host
    ) -> tuple[Check, ...]:
        """`checks`, those marked that failed before and are no worse now."""
        failing = frozenset(name for name in _failed(checks) if self._had_failed(name))
        worse = _below_minimum(probes, failing, host) - self.below_minimum
        excused = failing - worse
        return tuple(
            replace(check, before_apply="fail") if check.name in excused else check
            for check in checks
        )

    def _had_failed(self, name: str) -> bool:
        """Whether that check had failed, or its probe before it came to any address."""
        return name in self.failed or without_version(name) in self.failed


NO_FAILURES = FailuresBefore()


def find_failures(probes: Sequence[Probe], host: Host) -> FailuresBefore:
    """What fails at this moment."""
    able = [probe for probe in probes if not isinstance(probe, CrawlProbe) or not probe.is_default]
    failed = _failed(run_probes(able, host, retry_s=RETRY_S))
    return FailuresBefore(failed, _below_minimum(probes, failed, host))


def find_error_responses(probes: Sequence[Probe], host: Host) -> FailuresBefore:
    """What fails at this moment for a server error that the app answers, or nginx for it.

    For where it is unknown which probes belong to the present state: what does not respond at
    all may not have been set up yet.
    """
    apps = [
        replace(probe, expect=replace(probe.expect, served_by=None))
        for probe in probes
        if isinstance(probe, HttpProbe) and probe.minimum
    ]
    silent = _failed(run_probes([replace(p, expect=Expectation()) for p in apps], host, retry_s=0))
    found = find_failures(apps, host)
    return FailuresBefore(found.failed - silent, found.below_minimum - silent)


def _below_minimum(probes: Iterable[Probe], failed: frozenset[str], host: Host) -> frozenset[str]:
    minimal = [
        probe.relaxed
        for probe in probes
        if isinstance(probe, HttpProbe)
        and probe.minimum
        and any(name.startswith(probe.name) for name in failed)
    ]
    return _failed(run_probes(minimal, host, retry_s=0)) & failed


def _failed(checks: Iterable[Check]) -> frozenset[str]:
    return frozenset(check.name for check in checks if check.status == "fail")
