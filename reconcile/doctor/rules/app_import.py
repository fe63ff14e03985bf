"""The app's code cannot be imported, so that its settings are not known."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.application.ask import NotImported
from reconcile.doctor.application.importing import Told
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Inconclusive, Rule, RuleResult, warning


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    for app in inspection.declared.apps:
        told = inspection.import_result(app)
        if told and isinstance(told.facts, NotImported):
            yield _said(told, told.facts)


def _said(told: Told, failed: NotImported) -> RuleResult:
    name = f"{told.code.name} of {told.app.site}"
    if not failed.is_certain:
        return Inconclusive(name, failed.why)
    return warning(
        f"{name} cannot be imported: {failed.why}.",
        f"{told.code.place}: {told.python} as {told.account.name} in {told.code.directory}",
        *((failed.at,) if failed.at else ()),
        fix=_fix(told, failed),
    )


def _fix(told: Told, failed: NotImported) -> str:
    if "No module named" in failed.why:
        return (
            f"Make a venv with the app's packages in {told.code.directory}/.venv,"
            " or name its interpreter as app.gunicorn.python."
        )
    if "Permission denied" in failed.why and not failed.at:
        return f"Let {told.account.name} read the app: namei -l {told.code.directory}"
    return (
        "Let the import do nothing but define the app: no network, no files written, no waiting;"
        " what the service does at its start belongs behind it."
    )


RULE = Rule("app-import", (), check)
