"""`reconcile verify`: HTTP checks and a checklist; changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconcile.cli.options import File, Json, Sites, Vars
from reconcile.cli.read_only_guard import ReadOnlyGuard
from reconcile.cli.terminal import now, show, style
from reconcile.cli.workspaces import open_workspace
from reconcile.doctor.read_declaration import declaration
from reconcile.doctor.site_checklist import ChecklistItem, site_checklists
from reconcile.engine.model import Check
from reconcile.errors import ExitCode, ReconcileError
from reconcile.output.check_text import verification_text
from reconcile.output.checklist import checklist_text
from reconcile.output.json import to_json, verify_document
from reconcile.workspace import Workspace
from reconcile.workspace.checking import verify_sites
from reconcile.workspace.releases_in_use import as_in_use

Checklists = list[tuple[str, tuple[ChecklistItem, ...]]]


def verify(file: File = None, var: Vars = None, json: Json = False, site: Sites = None) -> int:
    """Run HTTP checks and print a checklist for each site.

    One check writes a file into each upload folder, requests it, and removes it again.

    \b
    Examples:
      reconcile verify
      reconcile verify --site shop

    \b
    Exit codes:
      0  all checks passed
      1  error, or a check could not be run
      3  a check failed
    """
    workspace, read_only = open_workspace(file, var), ReadOnlyGuard()
    _refuse_unknown_sites(site or (), workspace)
    # Only the upload check writes; what it needs to know is read before.
    read_only(lambda: workspace.readable_probes)
    probed = verify_sites(workspace, frozenset(site) if site else None)
    lists = read_only(lambda: site_lists(workspace, site or workspace.config.sites, probed))
    checks = (*(box.check for _, boxes in lists for box in boxes), *probed)
    code = _exit_code(checks)
    if json:
        show(to_json(verify_document(checks, workspace.host.name, code, now=now())))
    else:
        show(_verify_report(lists, probed))
    read_only.print_note()
    return code


def site_lists(workspace: Workspace, sites: Iterable[str], probed: Sequence[Check]) -> Checklists:
    """The checklist of each of these sites; `probed` are the results of its probes."""
    declared = declaration(as_in_use(workspace.config, workspace.host))
    questions = workspace.readable_probes
    return list(site_checklists(workspace.host, declared, dict.fromkeys(sites), questions, probed))


def _exit_code(checks: Sequence[Check]) -> ExitCode:
    """A failed check weighs more than one that could not be run."""
    statuses = {check.status for check in checks}
    if "fail" in statuses:
        return ExitCode.VERIFICATION_FAILED
    return ExitCode.ERROR if "unknown" in statuses else ExitCode.OK


def _verify_report(lists: Checklists, probed: Sequence[Check]) -> str:
    texts = [
        checklist_text(site, [(box.title, box.check) for box in boxes], style())
        for site, boxes in lists
    ]
    checks = [box.check for _, boxes in lists for box in boxes]
    return "\n\n".join([*texts, verification_text(probed, style(), also=checks)])


def _refuse_unknown_sites(sites: Sequence[str], workspace: Workspace) -> None:
    """A mistyped site has no checks, and would pass."""
    unknown = sorted(set(sites) - workspace.config.sites.keys())
    if unknown:
        known = ", ".join(workspace.config.sites) or "none"
        raise ReconcileError(f"Unknown site: {unknown[0]}", "", f"Sites in the file: {known}.")
