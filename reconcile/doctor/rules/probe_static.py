"""A file below a static location, asked for as visitors ask."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from reconcile.doctor.model import Rule, RuleResult, each
from reconcile.doctor.probing import probe
from reconcile.doctor.snapshot import HostInspection


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    return each(snapshot.of_role("static"), partial(probe, snapshot))


RULE = Rule("probe-static", ("DB11", "DB12", "DB13", "CL8"), look)
