"""Ordinary sites that work, in the forms of public guides: the doctor has nothing against them."""

from __future__ import annotations

import pytest

from tests.doctor import corpus_table
from tests.doctor.on_hosts import ON_HOSTS
from tests.doctor.throwaway import Diagnosed, diagnose_hosts

pytestmark = ON_HOSTS
FORMS = corpus_table.forms()


@pytest.fixture(scope="module")
def diagnosed() -> dict[str, Diagnosed]:
    return diagnose_hosts(FORMS)


@pytest.mark.parametrize("form", FORMS)
def test_a_site_that_works_has_no_problems(diagnosed: dict[str, Diagnosed], form: str) -> None:
    found = diagnosed[form]
    problems = [one for one in found["findings"] if one["severity"] != "note"]

    assert "syntax is ok" in found["test"]
    assert ([], []) == (problems, found["unknown"])
    assert 0 == found["exit_code"]


def test_the_table_of_the_corpus_is_the_present_one(diagnosed: dict[str, Diagnosed]) -> None:
    """If this fails: `python -m tests.doctor.corpus_table` as root."""
    assert len(FORMS) >= 30
    assert corpus_table.text(diagnosed) == corpus_table.PAGE.read_text()
