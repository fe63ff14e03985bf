"""A user was added to a group, and the processes that run as that user do not have it yet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from shlex import quote

from reconcile.doctor.denial_causes import missing_groups, with_current_groups
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, caused, error
from reconcile.doctor.upstream_apps import UpstreamApp
from reconcile.system.accounts import Account
from reconcile.system.processes import started_at

_GROUPS = "/etc/group"


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error where the groups of the account database would open what is closed."""
    yield from _worker(inspection)
    for mapping in inspection.mappings_of("media"):
        for app in inspection.apps_behind(mapping.server):
            yield from _app(inspection, mapping.path, app)


def _worker(inspection: HostInspection) -> Iterator[RuleResult]:
    nginx = inspection.nginx
    renewed = with_current_groups(inspection, nginx.worker)
    if nginx.running is None or renewed == nginx.worker:
        return
    paths = [
        one.path
        for one in inspection.mappings
        if not inspection.access(one.path, nginx.worker).can_enter
        and inspection.access(one.path, renewed).can_enter
    ]
    if paths:
        yield _without_group(
            inspection,
            f"nginx's workers ({nginx.worker.name})",
            nginx.worker,
            f"403: {', '.join(dict.fromkeys(paths))}",
            nginx.running.oldest_start_s,
            "systemctl reload nginx",
        )


def _app(inspection: HostInspection, path: str, app: UpstreamApp) -> Iterator[RuleResult]:
    renewed = with_current_groups(inspection, app.account)
    if renewed == app.account or _writes(inspection, path, app.account):
        return
    if _writes(inspection, path, renewed):
        pid, name = app.unit.main_pid, app.unit.name
        fix = f"systemctl restart {quote(name)}"
        if app.unit.user == "root":
            # Gunicorn, started as root with --user, gives its workers that user's own group alone.
            fix = f"Add --initgroups to Gunicorn's command, or User= to {name}; then: {fix}"
        yield _without_group(
            inspection,
            f"{name} ({app.account.name})",
            app.account,
            f"it cannot write to {path}",
            started_at(pid) if pid else None,
            fix,
        )


def _writes(inspection: HostInspection, path: str, account: Account) -> bool:
    walk = inspection.access(path, account)
    return walk.can_enter and walk.last is not None and walk.last.writable


def _without_group(
    inspection: HostInspection,
    who: str,
    account: Account,
    effect: str,
    started_s: float | None,
    fix: str,
) -> RuleResult:
    accounts = inspection.host.accounts
    names = ", ".join(sorted(map(accounts.group_name, missing_groups(inspection, account))))
    found = inspection.host.files.stat(_GROUPS)
    changed = f"{_GROUPS} was changed {_moment(found.mtime_ns / 1e9)}" if found else _GROUPS
    started = f"; they were started {_moment(started_s)}" if started_s else ""
    lacking = error(
        f"{who} run without the group {names}, which {_GROUPS} has for {account.name}.",
        effect,
        f"{changed}{started}",
        fix=fix,
    )
    return caused(lacking, f"groups of {account.name}")


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}"


RULE = Rule(
    id="stale-groups",
    summary="A process lacks a group that its user got after it started.",
    severity="error",
    help=(
        "A process gets its groups when it starts. Reload nginx, or restart the app, instead of"
        " opening the files to everybody."
    ),
    reads=("configuration", "files", "processes", "units"),
    check=check,
)
