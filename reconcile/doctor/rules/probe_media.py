"""A real file below each media location, requested as visitors do; see `file_probe`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from reconcile.doctor.file_probe import probe_mapping
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, check_each


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each address on which nginx does not serve the file."""
    return check_each(inspection.mappings_of("media"), partial(probe_mapping, inspection))


RULE = Rule(
    id="probe-media",
    summary="An uploaded file that exists is not served over HTTP.",
    severity="error",
    help=(
        "A file that exists on the disk is requested as visitors do. See the other "
        "findings for the cause."
    ),
    reads=("configuration", "files", "requests"),
    guide_rows=("DB11", "DB12", "DB13", "CL9"),
    check=check,
)
