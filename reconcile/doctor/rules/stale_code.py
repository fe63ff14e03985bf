"""An app or a service runs older code than the disk contains."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from reconcile.doctor.config_view import WatchedCode
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, check_each, warning
from reconcile.system.services.started_code import StartedCode
from reconcile.wording import first_few


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a warning for each unit whose code changed after its process began."""

    def check_one(watched: WatchedCode) -> Iterator[RuleResult]:
        """Yield the warning of one unit."""
        return _check_code(inspection, watched)

    yield from check_each(inspection.declared.watched, check_one)


def _check_code(inspection: HostInspection, watched: WatchedCode) -> Iterator[RuleResult]:
    host, folder = inspection.host, watched.scope.folder
    status = host.services.status(watched.unit)
    code = StartedCode(host, watched.unit, watched.scope)
    changed = code.changed(status) if status.active else ()
    if changed:
        files = first_few([f"{one.path} ({one.what})" for one in changed])
        yield warning(
            f"{watched.unit} runs older code than {folder} contains.",
            f"since it started{_moment(status.started_at)}: {files}",
            f"{watched.place}: code",
            fix="Apply again, which restarts it and checks it: reconcile apply",
            apply_fixes=True,
        )


def _moment(seconds: float | None) -> str:
    return f" {datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}" if seconds else ""


RULE = Rule(
    id="stale-code",
    summary="An app or a service runs older code than the disk contains.",
    severity="warning",
    help=(
        "A process keeps the code that it was started with, while files and templates are already"
        " new: pages link to assets that no longer exist. Restart it."
    ),
    reads=("files", "processes", "units"),
    check=check,
)
