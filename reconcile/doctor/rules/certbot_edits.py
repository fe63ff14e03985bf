"""certbot edits a file that reconcile writes: the next apply reverts its edits."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, note, warning
from reconcile.nginx.certbot import CertbotEdits, find_edits
from reconcile.nginx.render.site_config import is_managed


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a warning for each managed file that certbot edits, a note for any other."""
    inspected = {server.scope.directive.file for server in inspection.servers}
    for path, file in inspection.nginx.tree.files.items():
        is_inspected = path in inspected or not inspection.server_names
        if is_inspected and (edits := find_edits(file.data)):
            yield _edited(path, edits, is_managed=is_managed(file.data))


def _edited(path: str, edits: CertbotEdits, *, is_managed: bool) -> RuleResult:
    evidence = f"{path}:{edits.lines[0]}: {edits.summary}"
    if is_managed:
        return warning(
            f"certbot has edited {path}, which reconcile manages: the next apply reverts that.",
            evidence,
            fix=edits.suggested_fix,
        )
    return note(
        f"certbot configures TLS by editing {path}.",
        evidence,
        fix=f"To declare the whole file: tls: {{letsencrypt: {edits.name}}}",
    )


RULE = Rule(
    id="certbot-edits",
    summary="certbot edits an nginx file that reconcile manages.",
    severity="warning",
    help=(
        "Two programs write one file, and the later one reverts the other. Declare TLS in the YAML."
    ),
    reads=("configuration",),
    check=check,
)
