"""`reconcile drift`: the plan and the probes, for cron and CI; changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from reconcile.cli.options import File, Json, opened
from reconcile.cli.terminal import now, show, style
from reconcile.errors import ExitCode

if TYPE_CHECKING:
    from reconcile.engine.model import Check, Plan
    from reconcile.workspace import Workspace

SETTLE_S = 1.0
"""Nobody has just reloaded anything, so a bad answer is soon the last word."""


def drift(
    file: File = None,
    json: Json = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing where all is well.")
    ] = False,
) -> int:
    """Tell whether the host is still as declared, and answers."""
    workspace = opened(file)
    plan, checks = workspace.plan(), _read_only_checks(workspace)
    code = _exit_code(plan, checks)
    if quiet and code == ExitCode.OK:
        return code
    show(_document(plan, checks, code) if json else _text(plan, checks))
    return code


def _read_only_checks(workspace: Workspace) -> tuple[Check, ...]:
    """Requests only: a check that writes, be it for a moment, is for `verify`."""
    from reconcile.verify.model import HttpProbe
    from reconcile.verify.run import verify

    asking = [probe for probe in workspace.expansion.probes if isinstance(probe, HttpProbe)]
    return verify(asking, workspace.host, settle_s=SETTLE_S)


def _exit_code(plan: Plan, checks: Sequence[Check]) -> ExitCode:
    """What could not be read comes first, then drift, then health."""
    from reconcile.engine.model import failed

    code = plan.exit_code(detailed=True)
    if code == ExitCode.OK and failed(checks):
        return ExitCode.VERIFICATION_FAILED
    return code


def _text(plan: Plan, checks: Sequence[Check]) -> str:
    from reconcile.output.text import drift_text

    return drift_text(plan, checks, style())


def _document(plan: Plan, checks: Sequence[Check], code: int) -> str:
    from reconcile.output.json import drift_document, dumped

    return dumped(drift_document(plan, code, now=now(), checks=checks))
