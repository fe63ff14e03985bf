"""A file below a media location, asked for as visitors ask."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.model import Rule, Said
from reconcile.doctor.probing import probe
from reconcile.doctor.snapshot import Snapshot


def look(snapshot: Snapshot) -> Iterator[Said]:
    for mapped in snapshot.of_role("media"):
        yield from probe(snapshot, mapped)


RULE = Rule("probe-media", ("DB11", "DB12", "DB13", "CL9"), look)
