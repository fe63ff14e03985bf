"""Each recipe of the documentation is a valid file that compiles."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path

import pytest

from reconcile.config.compile import compile_config
from reconcile.config.load import load_bytes
from reconcile.engine.merge import merge
from tests.support.host_facts import HOST
from tests.support.proven_recipes import PROVEN
from tests.support.recipes import PAGE, recipes

HTPASSWD = b"anna:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n"


@pytest.mark.parametrize("title", recipes())
def test_a_recipe_compiles_without_a_contradiction(title: str) -> None:
    config = load_bytes(recipes()[title].encode(), "/srv/deploy/reconcile.yaml")
    sources = dict.fromkeys(config.file_sources(), HTPASSWD)

    compiled = compile_config(config, replace(HOST, sources=sources))

    _, conflicts = merge(compiled.declared)
    assert compiled.declared
    assert () == conflicts


def test_there_are_forty_wishes() -> None:
    assert len(recipes()) >= 40
    assert "## What stays outside" in PAGE.read_text()


def test_its_lines_can_be_read_side_by_side() -> None:
    assert all(len(line) <= 130 for line in PAGE.read_text().splitlines())


def test_each_is_proven_on_a_booted_host() -> None:
    for path in sorted((Path(__file__).parent / "stories/recipes").glob("test_*.py")):
        importlib.import_module(f"tests.stories.recipes.{path.stem}")

    assert {*recipes()} == PROVEN
