"""Findings that the YAML ignores, with a reason: shown apart, without an exit code."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest

from reconcile.config.load import load_bytes
from reconcile.doctor.config_view import DeclaredIgnore
from reconcile.doctor.ignored_findings import without_ignored
from reconcile.doctor.read_declaration import declaration
from reconcile.doctor.rules import load_rules
from reconcile.engine.model import Finding
from reconcile.errors import ExitCode
from reconcile.output.findings import (
    Diagnosis,
    IgnoredFinding,
    doctor_document,
    doctor_markdown,
    doctor_text,
)
from reconcile.output.json import to_json
from tests.support.yaml_examples import errors_in

TODAY, NOW = date(2026, 11, 22), datetime(2026, 11, 22, 8, tzinfo=UTC)
LEAK = Finding(
    "traversal-leak",
    "error",
    "/static of shop.example exposes files outside of /srv/shop/static.",
    ("/etc/nginx/shop.conf:3: alias /srv/shop/static/;",),
    "End both with a slash.",
)
KEY = Finding("tls-key", "warning", "games can read the private key /etc/ssl/key.pem.", ("x",), "y")


def entry(address: str, until: date | None = None) -> DeclaredIgnore:
    rule, _, subject = address.partition(":")
    return DeclaredIgnore(rule, subject, "an old site", until, "reconcile.yaml:9")


def found(*entries: DeclaredIgnore, rules: int = 99) -> Diagnosis:
    diagnosis = Diagnosis("web1", (LEAK, KEY), (), rules=40)
    return without_ignored(diagnosis, entries, load_rules()[:rules], TODAY)


@pytest.mark.parametrize(
    "address",
    [
        "traversal-leak",
        "traversal-leak:/srv/shop/static",
        "traversal-leak:shop.example",
        "traversal-leak:/srv/*",
        "traversal-*:/etc/nginx/shop.conf:3",
    ],
)
def test_a_finding_is_ignored_by_its_rule_and_by_what_it_names(address: str) -> None:
    left = found(entry(address))

    assert (KEY,) == left.findings
    assert (IgnoredFinding("traversal-leak", LEAK.what, "an old site"),) == left.ignored


@pytest.mark.parametrize("address", ["alias-slash", "traversal-leak:/srv/shop", "tls-key:/etc"])
def test_an_entry_about_another_finding_ignores_none_and_is_noted(address: str) -> None:
    left = found(entry(address))

    assert (LEAK, KEY) == left.findings[:2]
    assert ["ignore-unused"] == [one.rule for one in left.findings[2:]]


def test_an_entry_for_a_rule_that_did_not_run_is_not_unused() -> None:
    assert (LEAK, KEY) == found(entry("certbot-edits"), rules=1).findings


def test_an_unknown_rule_is_noted_with_the_nearest() -> None:
    assert "did you mean traversal-leak?" in found(entry("traversel-leak")).findings[-1].fix


def test_a_finding_returns_when_its_entry_expires() -> None:
    left = found(entry("tls-key", date(2026, 11, 21)))

    assert ["traversal-leak", "tls-key", "ignore-expired"] == [one.rule for one in left.findings]
    assert () == left.ignored


def test_what_is_ignored_does_not_change_the_exit_code() -> None:
    left = found(entry("traversal-leak"), entry("tls-key", TODAY))

    assert ExitCode.OK == left.exit_code()
    assert 2 == len(left.ignored)


def test_what_is_ignored_is_shown_with_its_reason_in_every_form() -> None:
    left = found(entry("tls-key", TODAY), entry("traversal-leak"))

    document = json.loads(to_json(doctor_document(left, now=NOW)))

    assert ["an old site"] * 2 == [one["reason"] for one in document["ignored"]]
    assert "an old site (until 2026-11-22)" in " ".join(doctor_text(left).split())
    assert "2 ignored" in doctor_text(left)
    assert "an old site" in doctor_markdown(left)


def test_the_yaml_names_a_finding_by_rule_and_subject() -> None:
    yaml = (
        b"version: 1\nignore:\n"
        b"  - {ref: 'doctor:tls-key:/etc/ssl/*', reason: shared, until: 2027-01-31}\n"
        b"  - {ref: 'doctor:tls-certificate', reason: internal}\n"
    )

    ignores = declaration(load_bytes(yaml, "reconcile.yaml")).ignores

    assert ["doctor:tls-key:/etc/ssl/*", "doctor:tls-certificate"] == [one.ref for one in ignores]
    assert ("tls-key", "/etc/ssl/*", date(2027, 1, 31)) == (
        ignores[0].rule,
        ignores[0].subject,
        ignores[0].until,
    )


@pytest.mark.parametrize(
    ("ref", "field", "problem"),
    [
        ("doctor:tls-key", "field: mode,", "a finding has no field"),
        ("tree:/var/www", "", "field is missing"),
    ],
)
def test_a_difference_has_a_field_and_a_finding_none(ref: str, field: str, problem: str) -> None:
    yaml = f"version: 1\nignore:\n  - {{ref: '{ref}', {field} reason: known}}\n"

    assert problem in "".join(errors_in(yaml))
