"""Every rule reports its fault and is silent on the twin, on one host that has them all."""

from __future__ import annotations

import pytest

from reconcile.doctor.diagnosis import RANK
from reconcile.doctor.rules import load_rules
from tests.doctor.conftest import SYMPTOMS, Said
from tests.doctor.faults import FAULTS, Fault

pytestmark = pytest.mark.host


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_a_rule_reports_its_fault(sick: Said, symptoms: Said, fault: Fault) -> None:
    said = symptoms if fault.rule in SYMPTOMS else sick

    assert said.about(fault.rule, f"bad-{fault.id}", *fault.severities), said.of(fault.rule)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_a_rule_is_silent_on_the_twin_of_its_fault(
    sick: Said, symptoms: Said, fault: Fault
) -> None:
    said = symptoms if fault.rule in SYMPTOMS else sick

    assert [] == said.about(fault.rule, f"good-{fault.id}", *fault.severities)


def test_no_finding_is_worse_than_its_rule(sick: Said) -> None:
    worst = {rule.id: RANK[rule.severity] for rule in load_rules()}

    assert [] == [
        finding
        for finding in sick.document["findings"]
        if RANK[finding["severity"]] < worst[finding["rule"]]
    ]


def test_everything_could_be_checked(sick: Said) -> None:
    assert [] == sick.unknown
    assert 2 == sick.exit_code


def test_every_finding_has_evidence_a_fix_and_a_source(sick: Said) -> None:
    for finding in sick.document["findings"]:
        assert finding["severity"] == "note" or (finding["evidence"] and finding["fix"]), finding
        assert finding["source"], finding
