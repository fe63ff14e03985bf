"""The JSON Schema and the loader agree, where both can decide."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reconcile.config.json_schema import json_schema
from reconcile.config.starter import STARTER
from reconcile.config.yaml import read
from tests.config.test_validation_errors import INVALID
from tests.support.yaml_examples import SMALLEST, WHOLE, errors_in

PROJECT = Path(__file__).parents[2]
SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
EXAMPLES = sorted(PROJECT.glob("examples/**/reconcile.yaml"))


def as_json(text: str) -> Any:
    """The document as an editor's validator sees it: lists, not tuples."""
    return json.loads(json.dumps(read(text.encode(), "f")[0].to_python()))


def test_the_published_schema_is_the_one_of_these_models() -> None:
    assert json_schema() == json.loads((PROJECT / "schemas/reconcile.schema.json").read_text())


def test_its_id_stays_for_as_long_as_the_version_of_the_format() -> None:
    version = SCHEMA["properties"]["version"]["const"]

    assert f"urn:reconcile:schema:reconcile.yaml:{version}" == SCHEMA["$id"]


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize(
    "text",
    [
        SMALLEST,
        WHOLE,
        STARTER,
        *(path.read_text() for path in EXAMPLES),
    ],
    ids=["smallest", "whole", "starter", *(str(path.parent.name) for path in EXAMPLES)],
)
def test_a_valid_file_is_valid_to_both(text: str) -> None:
    assert [] == errors_in(text)
    assert [] == [error.message for error in VALIDATOR.iter_errors(as_json(text))]


@pytest.mark.parametrize("text", [text for text, _ in INVALID.values()], ids=INVALID.keys())
def test_an_invalid_value_is_invalid_to_both(text: str) -> None:
    # To an editor an unquoted octal is a number.
    document = as_json(text.replace("dirs: 0755", "dirs: 755"))

    assert not VALIDATOR.is_valid(document)


def descriptions(schema: Any) -> list[dict[str, Any]]:
    """Every property of every part."""
    parts = [schema, *schema["$defs"].values()]
    return [item for part in parts for item in part["properties"].values()]


def test_an_editor_can_explain_every_key() -> None:
    assert [] == [item for item in descriptions(json_schema()) if not item.get("description")]


def test_an_editor_can_propose_every_value_of_a_choice() -> None:
    location = json_schema()["$defs"]["Location"]["properties"]

    assert ["static", "media", "private"] == location["role"]["enum"]
    assert ["week", "day", "hashed", "none"] == location["cache"]["examples"]


def examples_of(schema: Any) -> list[tuple[dict[str, Any], Any]]:
    """Each part of the schema that gives examples, with each of them."""
    if isinstance(schema, list):
        return [pair for item in schema for pair in examples_of(item)]
    if not isinstance(schema, dict):
        return []
    own = [(schema, example) for example in schema.get("examples", ())]
    return own + [pair for item in schema.values() for pair in examples_of(item)]


def test_every_example_of_the_schema_fits_its_own_rule() -> None:
    parts = examples_of(json_schema())
    definitions = {"$defs": json_schema()["$defs"]}

    assert len(parts) > 20
    for part, example in parts:
        assert Draft202012Validator(part | definitions).is_valid(example), (part, example)


# Values of every sort, right and wrong, for every key of a location, an owner and a site.
VALUES = st.sampled_from(
    [
        "static",
        "media",
        "private",
        "/srv/a",
        "./a",
        "",
        "a b",
        "a;b",
        "7d",
        "1y",
        "20MB",
        "0755",
        "0644",
        "4755",
        "0666",
        "www-data",
        "week",
        "assets",
        "true",
        "no",
        "/a/",
        "http://127.0.0.1:1",
        "unix:/a",
        "a.service",
        "app:app",
        0,
        1,
        80,
        99999,
        -1,
        True,
        False,
        [],
        ["a.test"],
        ["a;b"],
        [80],
        [80, "x"],
        {},
        {"user": "root"},
        {"user": 1},
    ]
)


def keys_of(part: str) -> st.SearchStrategy[str]:
    return st.sampled_from([*SCHEMA["$defs"][part]["properties"], "unknown"])


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A file whose parts have arbitrary values at arbitrary keys."""

    def part(name: str, base: dict[str, Any]) -> dict[str, Any]:
        return base | draw(st.dictionaries(keys_of(name), VALUES, max_size=2))

    location = part("Location", {"role": "static", "dir": "/srv/s"})
    app = part("App", {"upstream": "unix:/run/a.sock"})
    site = part("Site", {"server_names": ["a.test"], "app": app, "locations": {"/s/": location}})
    return {
        "version": 1,
        "owners": {"o": part("OwnerEntry", {"user": "root"})},
        "cache_policies": {"c": part("CachePolicy", {"max_age": "1d"})},
        "paths": {"/srv/p": part("HostPath", {"owner": "assets"})},
        "sites": {"s": site},
    }


@settings(max_examples=300)
@given(documents())
def test_what_the_loader_accepts_the_schema_accepts(document: dict[str, Any]) -> None:
    if not errors_in(json.dumps(document)):
        assert [] == [error.message for error in VALIDATOR.iter_errors(document)]


# Rules that only the loader checks, by words of their messages.
BEYOND_A_SCHEMA = (
    "unknown owner",
    "unknown cache policy",
    "belongs to",
    "inside the directory",
    "overlap",
    "is empty",
    "has to begin",
    "files are never changed",
    "needs a source",
    "sets the Cache-Control",
    "is longer",
    "needs tls",
    "is missing",
    "cannot be combined",
    "exclude each other",
    "can be sensitive",
    "uses TLS",
    "is used for TLS",
    "cannot save",
    "is not a host name",
    "of extra is invalid",
    "is not an IP address",
    "serves nothing",
    "duplicate",
)


@settings(max_examples=300)
@given(documents())
def test_what_the_schema_accepts_fails_only_by_rules_beyond_a_schema(
    document: dict[str, Any],
) -> None:
    if VALIDATOR.is_valid(document):
        found = errors_in(json.dumps(document))
        assert [] == [f for f in found if not any(words in f for words in BEYOND_A_SCHEMA)]
