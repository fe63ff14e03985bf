"""A file below a media location, asked for as visitors ask."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from reconcile.doctor.file_probe import probe_mapping
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, check_each


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    return check_each(inspection.mappings_of("media"), partial(probe_mapping, inspection))


RULE = Rule("probe-media", ("DB11", "DB12", "DB13", "CL9"), check)
