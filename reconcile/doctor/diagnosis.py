"""Run the rules over one host; a rule that fails hides no other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from reconcile.doctor.guide_rows import guide_source
from reconcile.doctor.owned_fix import names_a_line, owned_fix
from reconcile.doctor.rule import Inconclusive, Rule
from reconcile.engine.model import Finding, Severity, Unknown
from reconcile.engine.resource import Ref
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import in_one_line
from reconcile.nginx.routing.indeterminate import Indeterminate
from reconcile.output.findings import Diagnosis

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection

RANK: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}


def diagnose(inspection: HostInspection, rules: Iterable[Rule]) -> Diagnosis:
    """Run `rules` in their order. Errors: none; a rule that cannot read is an unknown."""
    checked = list(rules)
    results = [result for rule in checked for result in _run_rule(rule, inspection)]
    # The same folder may be mapped by two servers.
    findings = dict.fromkeys(result for result in results if isinstance(result, Finding))
    unknown = tuple(result for result in results if isinstance(result, Unknown))
    # Sorting is stable: within a severity the order of the rules remains.
    worst_first = tuple(sorted(findings, key=lambda finding: RANK[finding.severity]))
    return Diagnosis(inspection.host.name, worst_first, unknown, len(checked))


def _run_rule(rule: Rule, inspection: HostInspection) -> Iterator[Finding | Unknown]:
    try:
        for result in rule.check(inspection):
            if isinstance(result, Inconclusive):
                yield _unknown(rule, f"{result.what}: {result.why}")
            else:
                yield _completed(result, rule, inspection)
    except ReconcileError as error:
        yield _unknown(rule, in_one_line(error))
    except Indeterminate as unclear:
        yield _unknown(rule, unclear.reason)
    except OSError as error:
        prefix = f"{error.filename}: " if error.filename else ""
        yield _unknown(rule, f"{prefix}{error.strerror or error}")
    except Exception as error:  # noqa: BLE001  a bug in one rule must not hide the others
        yield _unknown(rule, f"this rule has a bug: {type(error).__name__}: {error}")


def _completed(finding: Finding, rule: Rule, inspection: HostInspection) -> Finding:
    """What is the same for all findings of a rule, and a fix that edits no managed file."""
    source = guide_source(rule.guide_rows)
    return replace(finding, rule=rule.id, source=source, fix=_owned(finding, rule, inspection))


def _owned(finding: Finding, rule: Rule, inspection: HostInspection) -> str:
    if not names_a_line(finding.fix):
        return finding.fix
    try:
        tree = inspection.nginx.installation.readable_tree
    except ReconcileError:
        # A main file that nginx refuses: it is nobody's but the administrator's.
        return finding.fix
    return owned_fix(finding, rule, tree, inspection.declared.extras)


def _unknown(rule: Rule, reason: str) -> Unknown:
    return Unknown(Ref("rule", rule.id), reason)
