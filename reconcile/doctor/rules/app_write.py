"""The app's user may not save uploads: by mode and owner, or by its unit's sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from reconcile.doctor.evidence import grant_command, namei
from reconcile.doctor.inspection import HostInspection, UpstreamApp
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, error
from reconcile.doctor.unit_sandbox import blocking_setting, hiding_setting
from reconcile.filesystem.access_check import EXECUTE, WRITE

WX = WRITE | EXECUTE


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    for mapping in inspection.mappings_of("media"):
        for app in inspection.apps_behind(mapping.server):
            yield from _by_mode(inspection, mapping, app)
            yield from _by_sandbox(mapping, app)


def _by_mode(
    inspection: HostInspection, mapping: LocationMapping, app: UpstreamApp
) -> Iterator[RuleResult]:
    walk = inspection.access(mapping.path, app.account)
    last = walk.last
    if last is None or (walk.blocked is None and last.writable and last.passable):
        return
    step = walk.blocked or last
    who, accounts, said = app.account, inspection.host.accounts, mapping.declared
    given = f"chown {who.name} {quote(mapping.path)}" if step is last else ""
    yield error(
        f"The app ({app.unit.name}, {who.name}) may not write to {mapping.path}.",
        *namei(walk, accounts),
        fix=given or grant_command(step, who, accounts, "x"),
        by_apply=said is not None and said.user == who.name and said.lets(who, WX, folder=True),
    )


def _by_sandbox(mapping: LocationMapping, app: UpstreamApp) -> Iterator[RuleResult]:
    why = blocking_setting(app.unit, mapping.path)
    if why:
        yield error(
            f"The sandbox of {app.unit.name} keeps the app from writing to {mapping.path}.",
            why,
            fix=_way_out(app, mapping.path),
        )


def _way_out(app: UpstreamApp, folder: str) -> str:
    if hiding_setting(app.unit, folder):
        return f"Keep uploads outside of {folder}, for example below /var/www or /srv."
    unit = quote(app.unit.name)
    drop_in = f"/etc/systemd/system/{unit}.d"
    text = quote(f"[Service]\\nReadWritePaths={folder}\\n")
    return (
        f"mkdir -p {drop_in} && printf {text} >{drop_in}/uploads.conf"
        f" && systemctl daemon-reload && systemctl restart {unit}"
    )


RULE = Rule("app-write", ("CC5", "DB10", "DB14", "CL6", "ST12"), check)
