"""The app's user cannot write uploads: by owner and mode, or by the sandbox of its unit."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from reconcile.doctor.denial_causes import denial_cause
from reconcile.doctor.evidence import namei
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, caused, error
from reconcile.doctor.unit_sandbox import blocking_setting, hiding_setting
from reconcile.doctor.upstream_apps import UpstreamApp
from reconcile.filesystem.access_check import EXECUTE, WRITE
from reconcile.filesystem.access_walk import AccessWalk
from reconcile.filesystem.grant import grant_command, grant_commands
from reconcile.system.accounts import Account

WX = WRITE | EXECUTE


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each media folder that the app behind its server cannot write to."""
    for mapping in inspection.mappings_of("media"):
        for app in inspection.apps_behind(mapping.server):
            yield from _denied_by_mode(inspection, mapping, app)
            yield from _denied_by_sandbox(mapping, app)


def _denied_by_mode(
    inspection: HostInspection, mapping: LocationMapping, app: UpstreamApp
) -> Iterator[RuleResult]:
    walk = inspection.access(mapping.path, app.account)
    last = walk.last
    if last is None or (walk.blocked is None and last.writable and last.passable):
        return
    account, accounts, declared = app.account, inspection.host.accounts, mapping.declared
    found = error(
        f"The app ({app.unit.name}, user {account.name}) cannot write to {mapping.path}.",
        *namei(walk, accounts),
        fix=_mode_fix(walk, account),
        apply_fixes=declared is not None
        and declared.owner.user == account.name
        and declared.lets(account, WX, folder=True),
    )
    yield caused(found, denial_cause(inspection, mapping.path, account))


def _mode_fix(walk: AccessWalk, account: Account) -> str:
    """Every folder above first; the folder itself goes to the app, if root has it."""
    last = walk.last
    above = [step for step in walk.denied if step is not last]
    commands = [grant_commands(above, account)] if above else []
    if last is not None and not (last.writable and last.passable):
        own = f"chown {quote(account.name)} {quote(last.path)}"
        commands.append(own if last.stat.uid == 0 else grant_command(last, account, bits="rwx"))
    return " && ".join(commands)


def _denied_by_sandbox(mapping: LocationMapping, app: UpstreamApp) -> Iterator[RuleResult]:
    setting = blocking_setting(app.unit, mapping.path)
    if setting:
        yield error(
            f"The sandbox of {app.unit.name} prevents the app from writing to {mapping.path}.",
            setting,
            fix=_sandbox_fix(app, mapping.path),
        )


def _sandbox_fix(app: UpstreamApp, folder: str) -> str:
    if hiding_setting(app.unit, folder):
        return f"Move the uploads out of {folder}, for example to /var/www or /srv."
    unit = quote(app.unit.name)
    drop_in = f"/etc/systemd/system/{unit}.d"
    # A name for each folder: the file of another one stays.
    file = quote(f"{drop_in}/uploads{folder.replace('/', '-')}.conf")
    text = quote(f"[Service]\\nReadWritePaths={folder}\\n")
    return (
        f"mkdir -p {drop_in} && printf {text} >{file}"
        f" && systemctl daemon-reload && systemctl restart {unit}"
    )


RULE = Rule(
    id="app-write",
    summary="The app cannot write to its upload folder.",
    severity="error",
    help=(
        "Each upload fails with an error of the app. Its user needs write access to the "
        "folder, and its unit's sandbox has to allow it."
    ),
    reads=("configuration", "files", "units"),
    guide_rows=("CC5", "DB10", "DB14", "CL6", "ST12"),
    check=check,
)
