"""The checks that decide an apply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reconcile.engine.checks import failed_checks, failure_reasons
from reconcile.engine.model import Check
from reconcile.engine.resource import Resource
from reconcile.errors import ReconcileError

Verify = Callable[[], Sequence[Check]]
VerifyStarted = Callable[[Resource], Sequence[Check]]


class VerificationFailed(ReconcileError):
    """The plan was applied, but a check failed."""


def refuse_failed(checks: Sequence[Check]) -> None:
    """Errors: VerificationFailed, where one of `checks` fails an apply."""
    bad = failed_checks(checks)
    if bad:
        raise VerificationFailed(
            f"Verification failed: {len(bad)} of {len(checks)} checks.", failure_reasons(bad)
        )


def nothing_started(switch: Resource) -> Sequence[Check]:  # noqa: ARG001
    """Where nothing is started beside what visitors get."""
    return ()


@dataclass(frozen=True)
class Verification:
    """The checks that decide an apply.

    `applied`: of the host once everything is done. `rolled_back`: of the restored host.
    `started`: of what was started beside the old, before a switch leads visitors to it.
    """

    applied: Verify
    rolled_back: Verify
    started: VerifyStarted = nothing_started
