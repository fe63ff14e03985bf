"""The laws are tried with every key of the schema: a new one is generated, or listed here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.laws.generated import SCOPE, SECTIONS, host_paths
from tests.laws.generated_sites import (
    APP_KEYS,
    DATA_KEYS,
    FILE_KEYS,
    GUNICORN_KEYS,
    GUNICORN_PATHS,
    PROXY_KEYS,
    STATIC_KEYS,
    site_keys,
)

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/reconcile.schema.json").read_text())
READ_BY_DOCTOR = "reconcile doctor reads it; no plan depends on it"
OF_THE_HOST = "the modelled host sets it"
ASKS_AN_AUTHORITY = "certbot asks an authority outside of the host"
REQUESTED = "a request after an apply; the modelled host answers none, booted hosts have others"
RUN = "tests/laws/test_release_ways.py has ways of its own through releases"
NOT_GENERATED = {
    "Config.version": "always 1",
    "Config.containers": READ_BY_DOCTOR,
    "Container": READ_BY_DOCTOR,
    "App.flask": READ_BY_DOCTOR,
    "Flask": READ_BY_DOCTOR,
    "App.django": READ_BY_DOCTOR,
    "Django": READ_BY_DOCTOR,
    "Site.probes": REQUESTED,
    "GetProbeSettings": REQUESTED,
    "UploadProbeSettings": REQUESTED,
    "CrawlProbeSettings": REQUESTED,
    "ExpectSettings": REQUESTED,
    "Tls.letsencrypt": ASKS_AN_AUTHORITY,
    "LetsEncrypt": ASKS_AN_AUTHORITY,
    "HostSection.service_manager": OF_THE_HOST,
    "HostSection.state_dir": OF_THE_HOST,
    "NginxSettings.binary": OF_THE_HOST,
    "NginxSettings.config": OF_THE_HOST,
    "App.release": RUN,
    "ReleaseSettings": RUN,
    "Step": RUN,
    "Location.rate_limit": "an error there",
    "FileLocation.rate_limit": "an error there",
}
"""Model, or one key of it → why no random YAML has it."""


FOLDER = {"dir": st.just("/a"), "source": st.just("/b")}
LOCATIONS = {
    "/static/": {"role": st.just("static"), **FOLDER, **STATIC_KEYS},
    "/media/": {"role": st.just("media"), **FOLDER, **DATA_KEYS},
    "/api/": {"role": st.just("proxy"), **PROXY_KEYS},
    "/favicon.ico": {"role": st.just("static"), "file": st.just("/c"), **FILE_KEYS},
}


def with_every_key() -> st.SearchStrategy[dict[str, Any]]:
    """A document with every key that can be drawn, whether they go together or not."""
    all_of = st.fixed_dictionaries
    gunicorn = all_of({**GUNICORN_PATHS, **GUNICORN_KEYS})
    app = all_of({**APP_KEYS, "service": st.just("a.service"), "gunicorn": gunicorn})
    site = all_of(
        {
            "server_names": st.just(["a.test"]),
            "app": app,
            "locations": all_of({key: all_of(keys) for key, keys in LOCATIONS.items()}),
            **site_keys("a"),
        }
    )
    return all_of(
        {
            **SECTIONS,
            "scope": SCOPE,
            "paths": host_paths(),
            "sites": all_of(dict.fromkeys("abc", site)),
        }
    )


def test_every_key_of_the_schema_is_generated_or_is_named_with_a_reason() -> None:
    drawn: set[str] = set()

    @settings(max_examples=20)
    @given(with_every_key())
    def draw(document: dict[str, Any]) -> None:
        drawn.update(_keys(document, SCHEMA, "Config"))

    draw()

    every = {f"{model}.{key}" for model, schema in _models() for key in schema["properties"]}
    named = {key for key in every if key in NOT_GENERATED or key.split(".")[0] in NOT_GENERATED}
    assert set() == every - drawn - named
    assert set() == drawn & named
    assert set() == NOT_GENERATED.keys() - every - {key.split(".")[0] for key in every}


def _models() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "Config", SCHEMA
    yield from ((name, one) for name, one in SCHEMA["$defs"].items() if "properties" in one)


def _keys(node: Any, schema: dict[str, Any], model: str = "") -> Iterator[str]:
    """`Model.key` of every key in `node`, by the model that the schema has there."""
    if "$ref" in schema:
        model = schema["$ref"].rpartition("/")[2]
        schema = SCHEMA["$defs"][model]
    known = schema.get("properties", {})
    if not known and (branch := _branch(node, schema)):
        yield from _keys(node, branch)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in known:
                yield f"{model}.{key}"
            yield from _keys(value, known.get(key) or schema.get("additionalProperties") or {})
    elif isinstance(node, list):
        for value in node:
            yield from _keys(value, schema.get("items", {}))


def _branch(node: Any, schema: dict[str, Any]) -> dict[str, Any] | None:
    """Which of several kinds `node` is."""
    branches = (*schema.get("oneOf", ()), *schema.get("anyOf", ()))
    return next((one for one in branches if _fits(node, one)), None)


def _fits(node: Any, schema: dict[str, Any]) -> bool:
    """Whether `node` is of that kind: a mapping by its keys and constants, else by its type."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    if not isinstance(node, dict):
        return schema.get("type") == "array" if isinstance(node, list) else False
    known, required = schema.get("properties", {}), schema.get("required", ())
    constants = all(node[key] in _allowed(known[key], node[key]) for key in node if key in known)
    return bool(known) and {*required} <= node.keys() <= known.keys() and constants


def _allowed(schema: dict[str, Any], value: Any) -> list[Any]:
    return schema.get("enum") or ([schema["const"]] if "const" in schema else [value])
