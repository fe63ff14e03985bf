"""certbot has edited a site's file, which something else writes."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, note, warning
from reconcile.nginx.certbot import CertbotEdits, find_edits
from reconcile.nginx.render.render import is_managed


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    asked = {server.scope.directive.file for server in inspection.servers}
    for path, file in inspection.tree.files.items():
        if (path in asked or not inspection.server_names) and (found := find_edits(file.data)):
            yield _said(path, found, is_ours=is_managed(file.data))


def _said(path: str, found: CertbotEdits, *, is_ours: bool) -> RuleResult:
    evidence = f"{path}:{found.lines[0]}: {found.summary}"
    if not is_ours:
        return note(
            f"certbot keeps TLS in {path} by editing it.",
            evidence,
            fix=f"To have the whole file declared: tls: {{letsencrypt: {found.name}}}",
        )
    return warning(
        f"certbot has edited {path}, which reconcile writes: the next apply takes that back.",
        evidence,
        fix=found.suggested_fix,
    )


RULE = Rule("certbot-edits", (), check)
