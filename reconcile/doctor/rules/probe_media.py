"""A file below a media location, asked for as visitors ask."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from reconcile.doctor.file_probe import probe
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, each


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    return each(snapshot.of_role("media"), partial(probe, snapshot))


RULE = Rule("probe-media", ("DB11", "DB12", "DB13", "CL9"), look)
