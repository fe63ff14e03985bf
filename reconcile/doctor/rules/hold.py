"""A hold blocks every apply on this host."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, note
from reconcile.engine.host_hold import read_hold


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a note for the hold in force."""
    if inspection.host.is_unprivileged_viewer:
        return
    hold = read_hold(inspection.host.state)
    if hold is not None:
        yield note(
            "A hold is in force: apply, drift --heal and pull exit with 6.",
            f"{hold}",
            fix="Once the reason is gone: reconcile hold --release",
        )


RULE = Rule(
    id="hold",
    summary="A hold blocks every apply on this host.",
    severity="note",
    help=(
        "Somebody put the host on hold: pending changes and drift stay until the hold expires or is"
        " released."
    ),
    reads=("files",),
    check=check,
)
