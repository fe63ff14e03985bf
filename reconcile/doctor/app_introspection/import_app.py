"""Whose code it is, as whom and with which Python it is imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconcile.doctor.app_introspection.app_facts import AppFacts
from reconcile.doctor.app_introspection.sandboxed_import import NotImported, ask_app, interpreter
from reconcile.doctor.config_view import DeclaredApp, DeclaredCode
from reconcile.doctor.units import UnitView, parse_assignments, read_unit
from reconcile.system.accounts import Account
from reconcile.system.process_info import environment_of

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection
    from reconcile.doctor.upstream_apps import UpstreamApp

_DEFAULT_USER = "www-data"


@dataclass(frozen=True)
class ImportResult:
    """What came of importing the app of a site, and how it was done."""

    app: DeclaredApp
    code: DeclaredCode
    account: Account
    python: str
    facts: AppFacts | NotImported


def import_app(snapshot: HostInspection, app: DeclaredApp, code: DeclaredCode) -> ImportResult:
    """Errors: UnknownAccount where the app's user does not exist."""
    running = _running_app(snapshot, app)
    account = running.account if running else _app_account(snapshot, app)
    unit = running.unit if running else _declared_unit(snapshot, app)
    command = unit.command if unit else ""
    python = code.python or interpreter(snapshot.host, code.directory, command)
    environment = _environment(snapshot, unit) if unit else {}
    if not snapshot.host.privileged and account.uid != snapshot.host.accounts.current.uid:
        refused = NotImported(
            f"only root may run it as {account.name}. Run it with sudo.", is_certain=False
        )
        return ImportResult(app, code, account, python, refused)
    return ImportResult(
        app, code, account, python, ask_app(snapshot.host, code, python, account, environment)
    )


def _declared_unit(snapshot: HostInspection, app: DeclaredApp) -> UnitView | None:
    """The service that is declared: a stopped one is in nobody's memory, but in its file."""
    return read_unit(snapshot.host, app.service) if app.service else None


def _environment(snapshot: HostInspection, unit: UnitView) -> dict[str, str]:
    """What the service runs with, else what it would be started with."""
    if running := environment_of(unit.main_pid):
        return running
    found = unit.environment
    for path in unit.environment_files:
        if content := snapshot.host.files.content(path):
            found |= parse_assignments(content[1].decode("utf-8", "surrogateescape"))
    return found


def _running_app(snapshot: HostInspection, app: DeclaredApp) -> UpstreamApp | None:
    for one in snapshot.apps:
        if any(snapshot.declared_app(server) == app for server in one.servers):
            return one
    return None


def _app_account(snapshot: HostInspection, app: DeclaredApp) -> Account:
    by = snapshot.host.managing_account
    return snapshot.host.accounts.user(app.user or _DEFAULT_USER) if by.uid == 0 else by
