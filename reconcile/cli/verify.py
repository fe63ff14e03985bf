"""`reconcile verify`: every promise put to the test, nothing changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reconcile.cli.options import File, Json, Sites, opened
from reconcile.cli.terminal import now, show, style
from reconcile.errors import ExitCode, ReconcileError

if TYPE_CHECKING:
    from reconcile.engine.model import Check
    from reconcile.workspace import Workspace


def verify(file: File = None, json: Json = False, site: Sites = None) -> int:
    """Send the probes; what they write is removed again."""
    from reconcile.engine.model import failed
    from reconcile.host.read_only import read_only
    from reconcile.output.text import verification_text

    workspace = opened(file)
    _refuse_unknown(site or (), workspace)
    # Only the canary writes, and what it has to prove is found out before.
    read_only(lambda: workspace.expansion)
    checks = workspace.verify(frozenset(site) if site else None)
    code = ExitCode.VERIFICATION_FAILED if failed(checks) else ExitCode.OK
    if json:
        show(_document(checks, workspace.host.name, code))
    else:
        show(verification_text(checks, style()))
    return code


def _refuse_unknown(sites: Sequence[str], workspace: Workspace) -> None:
    """A mistyped site has no checks, and would pass."""
    unknown = sorted(set(sites) - workspace.spec.sites.keys())
    if unknown:
        raise ReconcileError(
            f"There is no site called {unknown[0]}",
            "",
            f"The file has: {', '.join(workspace.spec.sites) or 'none'}.",
        )


def _document(checks: Sequence[Check], host: str, code: int) -> str:
    from reconcile.output.json import dumped, verify_document

    return dumped(verify_document(checks, host, code, now=now()))
