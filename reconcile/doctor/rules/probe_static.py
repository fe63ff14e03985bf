"""A file below a static location, asked for as visitors ask."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from reconcile.doctor.file_probe import probe
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, each


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    return each(snapshot.of_role("static"), partial(probe, snapshot))


RULE = Rule("probe-static", ("DB11", "DB12", "DB13", "CL8"), look)
