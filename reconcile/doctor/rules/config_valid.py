"""nginx itself refuses the configuration on the disk."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.model import Rule, Said, error
from reconcile.doctor.snapshot import Snapshot


def look(snapshot: Snapshot) -> Iterator[Said]:
    if refusal := snapshot.refusal:
        yield error(
            "nginx refuses its configuration: a reload keeps the old one, a restart ends in no"
            " nginx at all.",
            f"{refusal.place}: {refusal.message}",
            fix=f"Mend {refusal.place}, then: nginx -t && systemctl reload nginx",
        )


RULE = Rule("config-valid", ("DB1", "CL7"), look)
