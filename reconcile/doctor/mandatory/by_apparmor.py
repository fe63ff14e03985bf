"""What AppArmor has denied to nginx and to the apps, where they are still held to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from reconcile.doctor.mandatory.apparmor import is_mended, remedy
from reconcile.doctor.mandatory.audit import Refusal, refusals
from reconcile.doctor.rule import RuleResult, error

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection
    from reconcile.doctor.mandatory.log import Logged
    from reconcile.system.lsm import Security

_SERVERS = ("nginx", "gunicorn", "uwsgi", "uvicorn", "hypercorn")


def by_apparmor(
    snapshot: HostInspection, security: Security, logged: Sequence[Logged]
) -> Iterator[RuleResult]:
    held = _held(snapshot, security)
    by_path: dict[tuple[str, str], list[tuple[str, Refusal]]] = {}
    for log in logged:
        for refusal in refusals(log.lines):
            if log.is_recent(refusal.at) and _is_ours(refusal, held):
                by_path.setdefault(refusal[2:3] + refusal[5:6], []).append((log.where, refusal))
    for same in by_path.values():
        where, refusal = same[-1]
        yield error(
            f"AppArmor denied {refusal.comm or refusal.profile} {refusal.operation} on"
            f" {refusal.path or 'something'} (profile {refusal.profile}), {len(same)} times of"
            " late.",
            f"{where}: {refusal.line}",
            fix=remedy(refusal),
        )


def _held(snapshot: HostInspection, security: Security) -> dict[str, str]:
    """Profile → how nginx and the apps run in it now."""
    pids = [snapshot.running.master_pid] if snapshot.running else []
    pids += [app.unit.main_pid for app in snapshot.apps if app.unit.main_pid]
    said = filter(None, map(security.domain, pids))
    return {one.rpartition(" (")[0] or one: one for one in said}


def _is_ours(refusal: Refusal, held: dict[str, str]) -> bool:
    names = (refusal.profile, refusal.comm)
    if refusal.profile not in held and not any(s in n for s in _SERVERS for n in names):
        return False
    # A program that no profile holds any more shows as unconfined, whatever held it.
    if held and refusal.profile not in held:
        return "unconfined" not in held
    return not is_mended(held.get(refusal.profile, ""))
