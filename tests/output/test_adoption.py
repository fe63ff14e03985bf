"""What `adopt` prints beside the YAML."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from reconcile.engine.model import Plan
from reconcile.output.adoption import Adopted, AdoptNote, adopt_document, notes_text
from reconcile.output.json import to_json

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
SCHEMA = Path(__file__).parents[2] / "schemas/adopt.schema.json"


EMPTY = Plan("web1", (), "sha256:0")
ADOPTED = Adopted(
    text="version: 1\n",
    sites=("blog", "shop"),
    notes=(AdoptNote("/etc/nginx/x:3", "the app is left out: it is FastCGI", "Use HTTP."),),
    plan=EMPTY,
    complete=True,
    secret=False,
)


def test_notes_have_a_position_and_a_fix() -> None:
    assert (
        "Note: the app is left out: it is FastCGI (/etc/nginx/x:3)\n"
        "  fix: Use HTTP.\n"
        "2 sites: blog, shop. A plan with it shows no changes."
    ) == notes_text(ADOPTED)


def test_a_plan_that_failed_is_not_called_empty() -> None:
    assert "2 sites: blog, shop." == notes_text(replace(ADOPTED, plan=None, notes=()))


def test_names_of_the_host_cannot_control_the_terminal() -> None:
    evil = replace(ADOPTED, notes=(AdoptNote("\x1b[2J", "a\nb"),), sites=("\x1b]0;x",))

    assert "\x1b" not in notes_text(evil)


@pytest.mark.parametrize(("plan", "is_empty"), [(EMPTY, True), (None, None)])
def test_the_document_matches_its_schema(plan: Plan | None, is_empty: bool | None) -> None:
    document = json.loads(to_json(adopt_document(replace(ADOPTED, plan=plan), "web1", now=NOW)))

    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert (is_empty, "version: 1\n") == (document["plan_is_empty"], document["yaml"])
    assert [
        {
            "place": "/etc/nginx/x:3",
            "what": "the app is left out: it is FastCGI",
            "fix": "Use HTTP.",
        }
    ] == (document["notes"])
