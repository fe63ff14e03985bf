"""The app's code cannot be imported, so its own settings are unknown to the other rules."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.app_introspection.import_app import ImportResult
from reconcile.doctor.app_introspection.sandboxed_import import NotImported
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Inconclusive, Rule, RuleResult, warning


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a warning for each declared app whose import fails."""
    for app in inspection.declared.apps:
        result = inspection.import_result(app)
        if result and isinstance(result.facts, NotImported):
            yield _failed_import(result, result.facts)


def _failed_import(result: ImportResult, failure: NotImported) -> RuleResult:
    name = f"{result.code.name} of {result.app.site}"
    if not failure.is_certain:
        return Inconclusive(name, failure.why)
    return warning(
        f"{name} cannot be imported: {failure.why}.",
        f"{result.code.place}: {result.python} as {result.account.name} in {result.code.directory}",
        *((failure.at,) if failure.at else ()),
        fix=_fix(result, failure),
    )


def _fix(result: ImportResult, failure: NotImported) -> str:
    if "No module named" in failure.why:
        return (
            f"Create a venv with the app's packages in {result.code.directory}/.venv,"
            " or set app.gunicorn.python to its interpreter."
        )
    if "Permission denied" in failure.why and not failure.at:
        return f"Let {result.account.name} read the app: namei -l {result.code.directory}"
    return (
        "Make the import only define the app: no network, no writes, no waiting."
        " Move what the service does at startup out of the module."
    )


RULE = Rule(
    id="app-import",
    summary="The app's code cannot be imported, so its settings are unknown.",
    severity="warning",
    help=(
        "Other rules compare the app's own settings, and cannot where its code does not "
        "import. Importing it must only define it."
    ),
    reads=("app",),
    check=check,
)
