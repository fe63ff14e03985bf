"""A file below a static location, asked for as visitors ask."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.model import Rule, Said
from reconcile.doctor.probing import probe
from reconcile.doctor.snapshot import Snapshot


def look(snapshot: Snapshot) -> Iterator[Said]:
    for mapped in snapshot.of_role("static"):
        yield from probe(snapshot, mapped)


RULE = Rule("probe-static", ("DB11", "DB12", "DB13", "CL8"), look)
