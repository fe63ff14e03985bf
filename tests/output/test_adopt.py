"""What is said of an adoption beside its YAML."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from reconcile.engine.model import Plan
from reconcile.output.adopt import adopt_document, notes_text
from reconcile.output.json import dumped

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
SCHEMA = Path(__file__).parents[2] / "schemas/adopt.schema.json"


EMPTY = Plan("web1", (), "sha256:0")


@dataclass(frozen=True)
class Told:
    place: str
    what: str
    fix: str = ""


@dataclass(frozen=True)
class Adoption:
    text: str = "version: 1\n"
    sites: tuple[str, ...] = ("blog", "shop")
    notes: tuple[Told, ...] = (
        Told("/etc/nginx/x:3", "the app is left out: it is FastCGI", "Look."),
    )
    plan: Plan | None = EMPTY
    exit_code: int = 0


def test_notes_have_a_position_and_a_fix() -> None:
    assert (
        "Note: the app is left out: it is FastCGI (/etc/nginx/x:3)\n"
        "  fix: Look.\n"
        "2 sites: blog, shop. A plan with it shows no changes."
    ) == notes_text(Adoption())


def test_a_plan_that_failed_is_not_called_empty() -> None:
    assert "2 sites: blog, shop." == notes_text(Adoption(plan=None, notes=()))


def test_what_the_host_calls_something_cannot_write_on_the_terminal() -> None:
    evil = replace(Adoption(), notes=(Told("\x1b[2J", "a\nb"),), sites=("\x1b]0;x",))

    assert "\x1b" not in notes_text(evil)


@pytest.mark.parametrize(("plan", "is_empty"), [(EMPTY, True), (None, None)])
def test_the_document_is_as_its_schema_has_it(plan: Plan | None, is_empty: bool | None) -> None:
    document = json.loads(dumped(adopt_document(Adoption(plan=plan), "web1", now=NOW)))

    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert (is_empty, "version: 1\n") == (document["plan_is_empty"], document["yaml"])
    assert [
        {"place": "/etc/nginx/x:3", "what": "the app is left out: it is FastCGI", "fix": "Look."}
    ] == (document["notes"])
