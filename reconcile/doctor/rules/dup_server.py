"""Two server blocks have the same name on the same address: nginx ignores the later one."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error
from reconcile.nginx.server_name_conflicts import NameConflict, name_conflicts


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each name that two servers have; once, whatever the addresses."""
    found: dict[tuple[str, str, str], NameConflict] = {}
    for conflict in name_conflicts(inspection.nginx.tree):
        if not inspection.server_names or conflict.name in inspection.server_names:
            key = (conflict.name, conflict.winner.place, conflict.loser.place)
            found.setdefault(key, conflict)
    return map(_duplicate_name, found.values())


def _duplicate_name(conflict: NameConflict) -> RuleResult:
    name = conflict.name or "the empty name"
    return error(
        f"Two servers have {name} on {conflict.address}; nginx ignores the second.",
        f"{conflict.winner.place}: is used",
        f"{conflict.loser.place}: is ignored",
        fix=f"Remove {name} from one of them, then reload nginx. Keep backup copies out of the"
        " folders that nginx reads.",
    )


RULE = Rule(
    id="dup-server",
    summary="Two servers have the same name and address.",
    severity="error",
    help=(
        "nginx uses the server that it reads first and ignores the other one, whatever "
        "its locations are. Keep one of them."
    ),
    reads=("configuration",),
    guide_rows=("DB2",),
    check=check,
)
