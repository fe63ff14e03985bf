"""The app's user may not save uploads: by mode and owner, or by its unit's sandbox."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.evidence import grant, namei, quoted
from reconcile.doctor.inspection import App, HostInspection
from reconcile.doctor.location_mapping import Mapped
from reconcile.doctor.rule import Rule, RuleResult, error
from reconcile.doctor.unit_sandbox import hidden, refusal
from reconcile.filesystem.access import EXECUTE, WRITE

WX = WRITE | EXECUTE


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    for mapped in snapshot.of_role("media"):
        for app in snapshot.apps_of(mapped.server):
            yield from _by_mode(snapshot, mapped, app)
            yield from _by_sandbox(mapped, app)


def _by_mode(snapshot: HostInspection, mapped: Mapped, app: App) -> Iterator[RuleResult]:
    walk = snapshot.walk(mapped.path, app.account)
    last = walk.last
    if last is None or (walk.blocked is None and last.writable and last.passable):
        return
    step = walk.blocked or last
    who, accounts, said = app.account, snapshot.host.accounts, mapped.declared
    given = f"chown {who.name} {quoted(mapped.path)}" if step is last else ""
    yield error(
        f"The app ({app.unit.name}, {who.name}) may not write to {mapped.path}.",
        *namei(walk, accounts),
        fix=given or grant(step, who, accounts, "x"),
        by_apply=said is not None and said.user == who.name and said.lets(who, WX, folder=True),
    )


def _by_sandbox(mapped: Mapped, app: App) -> Iterator[RuleResult]:
    why = refusal(app.unit, mapped.path)
    if why:
        yield error(
            f"The sandbox of {app.unit.name} keeps the app from writing to {mapped.path}.",
            why,
            fix=_way_out(app, mapped.path),
        )


def _way_out(app: App, folder: str) -> str:
    if hidden(app.unit, folder):
        return f"Keep uploads outside of {folder}, for example below /var/www or /srv."
    unit = quoted(app.unit.name)
    drop_in = f"/etc/systemd/system/{unit}.d"
    text = quoted(f"[Service]\\nReadWritePaths={folder}\\n")
    return (
        f"mkdir -p {drop_in} && printf {text} >{drop_in}/uploads.conf"
        f" && systemctl daemon-reload && systemctl restart {unit}"
    )


RULE = Rule("app-write", ("CC5", "DB10", "DB14", "CL6", "ST12"), look)
