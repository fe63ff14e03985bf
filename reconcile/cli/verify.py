"""`reconcile verify`: the checklist and every promise put to the test, nothing changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from reconcile.cli.options import File, Json, Sites, opened
from reconcile.cli.terminal import now, show, style
from reconcile.errors import ExitCode, ReconcileError

if TYPE_CHECKING:
    from reconcile.doctor.site_checklist import ChecklistItem
    from reconcile.engine.model import Check
    from reconcile.workspace import Workspace

    Ticked = list[tuple[str, tuple[ChecklistItem, ...]]]


def verify(file: File = None, json: Json = False, site: Sites = None) -> int:
    """Send the probes, and tick a checklist for each site.

    One probe saves a file as the app does, loads it, and removes it.
    """
    from reconcile.cli.looking import Looking
    from reconcile.workspace.checking import verify_sites

    workspace, look = opened(file), Looking()
    _refuse_unknown(site or (), workspace)
    # Only the canary writes, and what it has to prove is found out before.
    look(lambda: workspace.known_probes)
    probed = verify_sites(workspace, frozenset(site) if site else None)
    ticked = look(lambda: _ticked(workspace, site or workspace.config.sites, probed))
    boxes = [box.check for _, site_boxes in ticked for box in site_boxes]
    checks = (*boxes, *probed)
    code = _code(checks)
    show(_document(checks, workspace.host.name, code) if json else _text(ticked, probed))
    look.tell()
    return code


def _ticked(workspace: Workspace, sites: Iterable[str], probed: Sequence[Check]) -> Ticked:
    from reconcile.doctor.config_view import declaration
    from reconcile.doctor.site_checklist import site_checklists

    declared = declaration(workspace.config)
    asked = workspace.known_probes
    return list(site_checklists(workspace.host, declared, dict.fromkeys(sites), asked, probed))


def _code(checks: Sequence[Check]) -> ExitCode:
    """What failed weighs more than what nobody could look at."""
    seen = {check.status for check in checks}
    if "fail" in seen:
        return ExitCode.VERIFICATION_FAILED
    return ExitCode.ERROR if "unknown" in seen else ExitCode.OK


def _text(ticked: Ticked, probed: Sequence[Check]) -> str:
    from reconcile.output.checklist import checklist_text
    from reconcile.output.checks import verification_text

    lists = [
        checklist_text(site, [(box.title, box.check) for box in boxes], style())
        for site, boxes in ticked
    ]
    boxes = [box.check for _, site_boxes in ticked for box in site_boxes]
    return "\n\n".join([*lists, verification_text(probed, style(), also=boxes)])


def _refuse_unknown(sites: Sequence[str], workspace: Workspace) -> None:
    """A mistyped site has no checks, and would pass."""
    unknown = sorted(set(sites) - workspace.config.sites.keys())
    if unknown:
        raise ReconcileError(
            f"There is no site called {unknown[0]}",
            "",
            f"The file has: {', '.join(workspace.config.sites) or 'none'}.",
        )


def _document(checks: Sequence[Check], host: str, code: int) -> str:
    from reconcile.output.json import dumped, verify_document

    return dumped(verify_document(checks, host, code, now=now()))
