"""Every row of the guide has a rule, every rule a fault, a twin and a page."""

from __future__ import annotations

from typing import get_args

import pytest

from reconcile.doctor.guide_rows import ROWS
from reconcile.doctor.rule import Reading, Rule
from reconcile.doctor.rules import IDS, load_rules
from tests.doctor import table

RULES = load_rules()


def test_no_row_of_the_guide_is_without_a_rule() -> None:
    covered = {row for rule in RULES for row in rule.guide_rows}

    assert set(ROWS) == covered


def test_the_page_of_all_rules_is_the_present_one() -> None:
    """If this fails: `python -m tests.doctor.table`."""
    assert table.text() == (table.PAGES / "README.md").read_text()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_is_called_like_its_file(rule: Rule) -> None:
    assert rule.check.__module__.endswith("." + rule.id.replace("-", "_"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_summary_is_one_sentence_of_one_line(rule: Rule) -> None:
    assert rule.summary.endswith(".")
    assert "\n" not in rule.summary
    assert len(rule.summary) <= 90


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_declares_its_meaning_and_what_it_reads(rule: Rule) -> None:
    assert rule.help.endswith(".")
    assert rule.help.isascii()
    assert rule.help.isprintable()
    assert rule.reads
    assert len(rule.reads) == len({*rule.reads} & {*get_args(Reading)})


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_has_a_page_that_names_its_tests(rule: Rule) -> None:
    page = (table.PROJECT / rule.page).read_text()
    proofs = table.proofs(rule.id)

    assert proofs
    assert [] == [name for name in proofs if f"`{name}`" not in page]
    for section in ("Symptom", "Cause", "Detection", "Silent", "Fix", "Tests"):
        assert f"## {section}\n\n" in page


def test_a_page_belongs_to_a_rule() -> None:
    pages = {path.stem for path in table.PAGES.glob("*.md")} - {"README"}

    assert set(IDS) == pages
