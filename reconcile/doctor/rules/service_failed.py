"""A service of the file does not run, or a job that its timer starts has failed."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from reconcile.doctor.config_view import DeclaredService
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, check_each, error
from reconcile.system.services import UnitStatus

_LINES_SHOWN = 5


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each worker that does not run, and for each job that failed."""
    if not inspection.host.services.runs_services:
        return

    def check_one(service: DeclaredService) -> Iterator[RuleResult]:
        """Yield the error of one service."""
        return _check_service(inspection, service)

    yield from check_each(inspection.declared.services, check_one)


def _check_service(inspection: HostInspection, service: DeclaredService) -> Iterator[RuleResult]:
    manager = inspection.host.services
    status = manager.status(service.unit)
    if not _has_failed(status, service):
        return
    log = manager.log_tail(service.unit).splitlines()[-_LINES_SHOWN:]
    what = "has failed" if service.is_scheduled else "does not run"
    unit = quote(service.unit)
    yield error(
        f"{service.unit} {what}.",
        f"{service.place}: {status.state}",
        *log,
        fix=f"Fix the error in its log: journalctl -u {unit}. Then: systemctl start {unit}",
        apply_fixes=not service.is_scheduled and not status.state.startswith("activating"),
    )


def _has_failed(status: UnitStatus, service: DeclaredService) -> bool:
    if service.is_scheduled:
        return status.state.startswith("failed")
    return not status.active


RULE = Rule(
    id="service-failed",
    summary="A service of the YAML does not run, or its scheduled run failed.",
    severity="error",
    help=(
        "Background work (mail, images, cleanup) is not done, which visitors notice late. The log"
        " of the service has the reason."
    ),
    reads=("logs", "processes", "units"),
    check=check,
)
