"""Every rule over one inspection; none hides another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from reconcile.doctor import registry
from reconcile.doctor.guide_rows import guide_source
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Diagnosis, Inconclusive, Rule
from reconcile.engine.model import Finding, Severity, Unknown
from reconcile.engine.resource import Ref
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import in_one_line
from reconcile.nginx.routing.location_match import Indeterminate

RANK: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}


def diagnose(inspection: HostInspection, rules: Iterable[Rule] | None = None) -> Diagnosis:
    """What all rules say. Errors: none; a rule that fails to read is an unknown."""
    findings: list[Finding] = []
    unknown: list[Unknown] = []
    asked = list(registry.load() if rules is None else rules)
    for rule in asked:
        _ask(rule, inspection, findings, unknown)
    # Sorted is stable: within a severity they stay in the order of the rules.
    findings.sort(key=lambda finding: RANK[finding.severity])
    return Diagnosis(inspection.host.name, _once(findings), tuple(unknown), len(asked))


def _ask(
    rule: Rule, inspection: HostInspection, findings: list[Finding], unknown: list[Unknown]
) -> None:
    try:
        for said in rule.check(inspection):
            if isinstance(said, Inconclusive):
                unknown.append(_unknown(rule, f"{said.what}: {said.why}"))
            else:
                findings.append(replace(said, rule=rule.id, source=guide_source(rule.guide_rows)))
    except ReconcileError as error:
        unknown.append(_unknown(rule, in_one_line(error)))
    except Indeterminate as undecided:
        unknown.append(_unknown(rule, undecided.reason))
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        unknown.append(_unknown(rule, f"{named}{error.strerror or error}"))
    except Exception as error:  # noqa: BLE001  one rule's own fault must not hide the others
        unknown.append(_unknown(rule, f"this rule has a fault: {type(error).__name__}: {error}"))


def _unknown(rule: Rule, reason: str) -> Unknown:
    return Unknown(Ref("rule", rule.id), reason)


def _once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """A folder that two servers map is told once."""
    return tuple(dict.fromkeys(findings))
