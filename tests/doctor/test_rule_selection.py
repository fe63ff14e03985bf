"""Which rules run: `--only`, `--skip`, and what `--list` prints of them."""

from __future__ import annotations

import pytest

from reconcile.doctor.rules import IDS, load_rule, load_rules, select_rules
from reconcile.errors import ReconcileError
from reconcile.output.findings import rules_in_full, rules_text


@pytest.mark.parametrize(
    ("only", "skip", "selected"),
    [
        ((), (), IDS),
        (("tls-key",), (), ("tls-key",)),
        (("tls-key", "alias-slash"), (), ("alias-slash", "tls-key")),
        ((), IDS[1:], IDS[:1]),
        (("tls-key",), ("tls-key",), ()),
    ],
)
def test_rules_are_selected_by_id_and_keep_their_order(
    only: tuple[str, ...], skip: tuple[str, ...], selected: tuple[str, ...]
) -> None:
    assert selected == tuple(rule.id for rule in select_rules(only, skip))


@pytest.mark.parametrize(("only", "skip"), [(["tls-kye"], []), ([], ["tls-kye"])])
def test_an_unknown_rule_is_an_error(only: list[str], skip: list[str]) -> None:
    with pytest.raises(ReconcileError) as error:
        select_rules(only, skip)

    assert "Unknown rule: tls-kye" == error.value.what
    assert "Did you mean tls-key?" == error.value.fix


def test_an_unknown_rule_that_resembles_none_leads_to_the_list() -> None:
    with pytest.raises(ReconcileError, match="quuxes") as error:
        select_rules(["quuxes"])

    assert "doctor --list" in error.value.fix


def test_the_list_of_rules_has_their_id_severity_and_summary() -> None:
    rules = load_rules()

    lines = rules_text(rules).splitlines()

    assert len(IDS) == len(lines)
    assert ["root-doubling", "error", rules[0].summary] == lines[0].split(maxsplit=2)


def test_a_rule_in_full_has_its_help_and_what_it_reads() -> None:
    rule = load_rule("tls-key")

    text = rules_in_full([rule])

    assert text.startswith("tls-key\n")
    assert rule.help in " ".join(text.split())
    assert text.endswith("reads: configuration, certificates, files")
