"""`reconcile doctor`: diagnose common problems, with evidence and fixes; changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated

import typer

from reconcile.cli.approval import confirm
from reconcile.cli.options import (
    File,
    Json,
    Markdown,
    Sites,
    Vars,
    find_config_file,
    require_single_format,
)
from reconcile.cli.read_only_guard import ReadOnlyGuard
from reconcile.cli.terminal import is_interactive, now, show, style
from reconcile.cli.workspaces import open_file
from reconcile.doctor.diagnosis import diagnose
from reconcile.doctor.ignored_findings import without_ignored
from reconcile.doctor.inspection import HostInspection, server_names_of
from reconcile.doctor.read_declaration import declaration
from reconcile.doctor.rule import Rule
from reconcile.doctor.rules import select_rules
from reconcile.doctor.shared_causes import with_one_finding_per_cause
from reconcile.doctor.support_bundle import archive, bundle_texts
from reconcile.errors import ExitCode
from reconcile.filesystem.user_files import write_user_file
from reconcile.output.escape import printable
from reconcile.output.findings import (
    Diagnosis,
    doctor_document,
    doctor_markdown,
    doctor_text,
    rules_in_full,
    rules_text,
)
from reconcile.output.json import to_json
from reconcile.output.sarif import sarif_text
from reconcile.system import Host
from reconcile.workspace import Workspace
from reconcile.workspace.releases_in_use import as_in_use


def doctor(
    file: File = None,
    var: Vars = None,
    json: Json = False,
    site: Sites = None,
    markdown: Markdown = False,
    sarif: Annotated[bool, typer.Option("--sarif", help="Print SARIF, for code scanning.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="RULE", help="Run only this rule; repeatable."),
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option(metavar="RULE", help="Skip this rule; repeatable.")
    ] = None,
    list_rules: Annotated[
        bool, typer.Option("--list", help="List the rules, those of --only in full; run none.")
    ] = False,
    bundle: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write what support needs, redacted, as a .tar.gz."),
    ] = None,
) -> int:
    """Diagnose problems on this host and suggest fixes.

    Works without a YAML too. Changes nothing.

    \b
    Examples:
      reconcile doctor
      reconcile doctor --site shop --markdown
      reconcile doctor --skip probe-static --skip probe-media
      reconcile doctor --bundle bundle.tar.gz

    \b
    Exit codes:
      0  no problems; notes do not count
      1  error, or a check could not be run
      2  problems found
    """
    require_single_format(json=json, markdown=markdown, sarif=sarif, list=list_rules)
    rules = select_rules(only or (), skip or ())
    if list_rules:
        show(rules_in_full(rules, style()) if only else rules_text(rules))
        return ExitCode.OK
    read_only = ReadOnlyGuard()
    # Outside of the guard: what came with a YAML from standard input is unpacked.
    path = find_config_file(file)
    workspace = None if path is None else open_file(path, var)
    inspection = read_only(lambda: inspection_of(workspace, site or []))
    diagnosis = read_only(lambda: run_rules(inspection, rules))
    if bundle is not None:
        _write_bundle(bundle, inspection, diagnosis, workspace)
        return ExitCode.OK
    form = "json" if json else "markdown" if markdown else "sarif" if sarif else "text"
    show(_rendered(read_only.with_note(diagnosis) if json else diagnosis, form, rules))
    if not json:
        read_only.print_note()
    return diagnosis.exit_code()


def _write_bundle(
    path: str, inspection: HostInspection, diagnosis: Diagnosis, workspace: Workspace | None
) -> None:
    """List what the bundle holds, ask where somebody can answer, and write it."""
    findings = doctor_document(diagnosis, now=now()).model_dump(mode="json")
    texts = bundle_texts(inspection, findings, workspace.config if workspace else None)
    lines = [
        f"  {len(text.encode(errors='replace')):>9,} bytes  {printable(name)}"
        for name, text in texts.items()
    ]
    show("\n".join(["The bundle contains, without known secrets:", *lines]))
    if is_interactive():
        confirm("this bundle")
    write_user_file(path, archive(texts), mode=0o600)
    show(f"Written: {printable(path)}. Read it before you send it.")


def run_rules(inspection: HostInspection, rules: Sequence[Rule]) -> Diagnosis:
    """What the rules find, a finding for each cause, without what the YAML ignores."""
    found = diagnose(inspection, rules)
    left = without_ignored(found, inspection.declared.ignores, rules, date.today())
    return with_one_finding_per_cause(left)


def inspection_of(workspace: Workspace | None, sites: list[str]) -> HostInspection:
    """The host with its YAML; without one, the host alone."""
    if workspace is None:
        whole = HostInspection(Host())
    else:
        whole = HostInspection(
            workspace.host, declaration(as_in_use(workspace.config, workspace.host))
        )
    if not sites:
        return whole
    names = [name for server in whole.nginx.router.servers.servers for name in server.names]
    return whole.restricted_to(whole.declared, server_names_of(whole.declared, sites, names))


def _rendered(diagnosis: Diagnosis, form: str, rules: Sequence[Rule]) -> str:
    if form == "json":
        return to_json(doctor_document(diagnosis, now=now()))
    if form == "markdown":
        return doctor_markdown(diagnosis)
    return sarif_text(diagnosis, rules) if form == "sarif" else doctor_text(diagnosis, style())
