"""Two server blocks claim one name on one address: nginx ignores the later one."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error
from reconcile.nginx.server_name_conflicts import NameConflict, name_conflicts


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    told: dict[tuple[str, str, str], NameConflict] = {}
    for conflict in name_conflicts(inspection.tree):
        if not inspection.server_names or conflict.name in inspection.server_names:
            key = (conflict.name, conflict.winner.place, conflict.loser.place)
            told.setdefault(key, conflict)
    for conflict in told.values():
        name = conflict.name or "no name at all"
        yield error(
            f"Two servers claim {name} on {conflict.address}; nginx ignores the second.",
            f"{conflict.winner.place}: answers",
            f"{conflict.loser.place}: is ignored",
            fix=f"Remove {name} from one of the two (a backup copy should not be in a folder that"
            " nginx reads), then reload nginx.",
        )


RULE = Rule("dup-server", ("DB2",), check)
