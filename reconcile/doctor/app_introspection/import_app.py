"""Imports the app of a site as the user, with the Python and the environment of its service."""

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
    """The result of importing the app of a site: the user, the Python, and the facts."""

    app: DeclaredApp
    code: DeclaredCode
    account: Account
    python: str
    facts: AppFacts | NotImported


def import_app(inspection: HostInspection, app: DeclaredApp, code: DeclaredCode) -> ImportResult:
    """Import the code of an app in a sandbox.

    Errors: UnknownAccount where the app's user does not exist.
    """
    running = _running_app(inspection, app)
    account = running.account if running else _app_account(inspection, app)
    unit = running.unit if running else _declared_unit(inspection, app)
    command = unit.command if unit else ""
    python = code.python or interpreter(inspection.host, code.directory, command)
    environment = _environment(inspection, unit) if unit else {}
    if not inspection.host.privileged and account.uid != inspection.host.accounts.current.uid:
        refused = NotImported(
            f"only root may run it as {account.name}. Run it with sudo.", is_certain=False
        )
        return ImportResult(app, code, account, python, refused)
    return ImportResult(
        app, code, account, python, ask_app(inspection.host, code, python, account, environment)
    )


def _declared_unit(inspection: HostInspection, app: DeclaredApp) -> UnitView | None:
    """The declared service, which systemd loads from its file if it is stopped."""
    return read_unit(inspection.host, app.service) if app.service else None


def _environment(inspection: HostInspection, unit: UnitView) -> dict[str, str]:
    """The environment of the running service, else that of its unit."""
    if running := environment_of(unit.main_pid):
        return running
    found = unit.environment
    for path in unit.environment_files:
        if content := inspection.host.files.content(path):
            found |= parse_assignments(content[1].decode("utf-8", "surrogateescape"))
    return found


def _running_app(inspection: HostInspection, app: DeclaredApp) -> UpstreamApp | None:
    for one in inspection.apps:
        if any(inspection.declared_app(server) == app for server in one.servers):
            return one
    return None


def _app_account(inspection: HostInspection, app: DeclaredApp) -> Account:
    by = inspection.host.managing_account
    return inspection.host.accounts.user(app.user or _DEFAULT_USER) if by.uid == 0 else by
