"""`reconcile doctor`: what is wrong, why, and what to do; changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from reconcile.cli.options import File, Json, Sites, chosen_file, refuse_two_forms
from reconcile.cli.terminal import now, show, style
from reconcile.errors import ReconcileError

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection
    from reconcile.doctor.rule import Diagnosis


def doctor(
    file: File = None,
    json: Json = False,
    site: Sites = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    sarif: Annotated[bool, typer.Option("--sarif", help="Print SARIF, for code scanning.")] = False,
) -> int:
    """Tell what is wrong on this host, with or without a YAML."""
    from reconcile.cli.looking import Looking
    from reconcile.doctor.diagnosis import diagnose

    refuse_two_forms(json=json, markdown=markdown, sarif=sarif)
    look = Looking()
    found = look(lambda: diagnose(_snapshot(file, site or [])))
    form = "json" if json else "markdown" if markdown else "sarif" if sarif else "text"
    show(_shown(look.noting(found) if json else found, form))
    if not json:
        look.tell()
    return found.exit_code()


def _snapshot(file: str | None, sites: list[str]) -> HostInspection:
    """The host as the YAML describes it; without any YAML, the host alone."""
    from reconcile.doctor.config_view import declaration
    from reconcile.doctor.inspection import HostInspection, server_names_of
    from reconcile.system import Host
    from reconcile.workspace import Workspace

    path = _file(file)
    if path is None:
        whole = HostInspection(Host())
    else:
        workspace = Workspace.open(path)
        whole = HostInspection(workspace.host, declaration(workspace.config))
    if not sites:
        return whole
    names = [name for server in whole.router.servers.servers for name in server.names]
    return whole.restricted_to(whole.declared, server_names_of(whole.declared, sites, names))


def _file(given: str | None) -> str | None:
    try:
        return chosen_file(given)
    except ReconcileError:
        return None


def _shown(found: Diagnosis, form: str) -> str:
    from reconcile.output.doctor import doctor_document, doctor_markdown, doctor_text

    findings, unknown, rules = found.findings, found.unknown, found.rules
    code = found.exit_code()
    if form == "text":
        return doctor_text(found.host, findings, unknown, rules=rules, style=style())
    if form == "markdown":
        return doctor_markdown(found.host, findings, unknown, rules=rules)
    if form == "json":
        from reconcile.output.json import dumped

        return dumped(
            doctor_document(found.host, findings, unknown, rules=rules, exit_code=code, now=now())
        )
    from reconcile.output.sarif import sarif_text

    return sarif_text(findings, unknown, complete=not unknown)
