"""Findings as SARIF, for code scanning.

Source: SARIF 2.1.0 (OASIS), sections 3.13 to 3.31.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from reconcile import __version__
from reconcile.engine.model import Finding
from reconcile.output.escape import printable
from reconcile.output.findings import Diagnosis, RuleItem

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_PLACE = re.compile(r"(/[^\s:;,()]+):(\d+)")


def sarif_text(diagnosis: Diagnosis, rules: Sequence[RuleItem] = ()) -> str:
    """Render one run: a result per finding, a notification per check that could not be run.

    `rules`: those that ran; each that found something is described by what it declares.
    """
    declared = {rule.id: rule for rule in rules}
    run = {
        "tool": {
            "driver": {
                "name": "reconcile doctor",
                "version": __version__,
                "rules": [
                    _described(rule, declared.get(rule))
                    for rule in sorted({f.rule for f in diagnosis.findings})
                ],
            }
        },
        "invocations": [
            {
                "executionSuccessful": not diagnosis.unknown,
                "toolExecutionNotifications": [
                    {"level": "error", "message": {"text": printable(f"{u.ref.name}: {u.reason}")}}
                    for u in diagnosis.unknown
                ],
            }
        ],
        "results": [_result(finding) for finding in diagnosis.findings],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _described(rule_id: str, rule: RuleItem | None) -> dict[str, Any]:
    described = {"id": rule_id, "name": rule_id}
    if rule is None:
        return described
    return {
        **described,
        "shortDescription": {"text": rule.summary},
        "help": {"text": rule.help},
        "defaultConfiguration": {"level": rule.severity},
    }


def _result(finding: Finding) -> dict[str, Any]:
    fix = f"\nFix: {finding.fix}" if finding.fix else ""
    text = "\n".join((finding.what, *finding.evidence)) + fix
    found = {
        "ruleId": finding.rule,
        "level": finding.severity,
        "message": {"text": printable(text, keep="\n")},
        "properties": {"source": finding.source, "apply_fixes": finding.apply_fixes},
    }
    places = list(_places((finding.what, *finding.evidence, finding.fix)))
    return {**found, "locations": places[:1]} if places else found


def _places(texts: Iterable[str]) -> Iterable[dict[str, Any]]:
    """Find each `file:line` in the evidence."""
    for text in texts:
        for match in _PLACE.finditer(text):
            path = quote(match[1], errors="surrogateescape")
            yield {
                "physicalLocation": {
                    "artifactLocation": {"uri": f"file://{path}"},
                    "region": {"startLine": int(match[2])},
                }
            }
