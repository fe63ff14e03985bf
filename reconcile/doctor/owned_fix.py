"""Fixes in terms of the YAML: a file that reconcile writes is never edited by hand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconcile.nginx.render.site_config import extra_line, is_managed

if TYPE_CHECKING:
    from reconcile.doctor.rule import Rule
    from reconcile.engine.model import Finding
    from reconcile.nginx.model.config_tree import ConfigTree

_EDIT = re.compile(r"^(/[^\n]+?):(\d+): (.*)$", re.DOTALL)
_SITE = re.compile(rb"\A# Managed by reconcile \(site ([^)\n]+)\)")
_RELOAD = re.compile(r"[;,]? then reload nginx\.?$")
APPLY = "reconcile apply"


def is_edit(fix: str) -> bool:
    """Whether a fix names a line of a file to edit."""
    return bool(_EDIT.match(fix))


def owned_fix(finding: Finding, rule: Rule, tree: ConfigTree) -> str:
    """The fix of a finding; where it would edit a file of a site, the key of the YAML instead."""
    edit = _EDIT.match(finding.fix)
    file = tree.files.get(edit[1]) if edit else None
    if edit is None or file is None or not is_managed(file.data):
        return finding.fix
    if finding.apply_fixes:
        return APPLY
    found = _SITE.match(file.data)
    site = found[1].decode("utf-8", "replace") if found else "SITE"
    key = rule.yaml_key if extra_line(file.data, int(edit[2])) is None else "extra"
    where = ".".join(filter(None, ("sites", site, key)))
    return f"In the YAML, {where}: {_RELOAD.sub('', edit[3])}; then: {APPLY}"
