"""The documentation is complete: every key, kind and command is described."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from markdown.extensions.toc import slugify

from reconcile.cli.app import COMMANDS
from reconcile.config.json_schema import json_schema
from reconcile.config.load import load_bytes
from reconcile.resources.registry import MODULES

PROJECT = Path(__file__).parents[1]
DOCS = PROJECT / "docs"


def keys_of(part: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each key of the YAML with the model that has it."""
    for model, schema in {"Config": part, **part["$defs"]}.items():
        yield from ((model, key) for key in schema.get("properties", ()))


@pytest.mark.parametrize(("model", "key"), sorted(keys_of(json_schema())))
def test_every_key_of_the_yaml_is_described(model: str, key: str) -> None:
    text = re.sub(r"^```.+?^```", "", (DOCS / "yaml.md").read_text(), flags=re.M | re.S)
    described = re.findall(r"`[^`]+`|^## .+$", text, re.M)

    assert any(key in re.findall(r"\w+", words) for words in described), f"{key} of {model}"


@pytest.mark.parametrize("kind", MODULES)
def test_every_kind_has_a_page(kind: str) -> None:
    assert (DOCS / "kinds" / f"{kind}.md").is_file()
    assert f"({kind}.md)" in (DOCS / "kinds/README.md").read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_described(command: str) -> None:
    pages = [PROJECT / "README.md", *DOCS.glob("*.md")]

    assert any(f"reconcile {command}" in page.read_text() for page in pages)


def test_the_glossary_has_names_of_the_code() -> None:
    sources = "\n".join(path.read_text() for path in (PROJECT / "reconcile").rglob("*.py"))
    rows = re.findall(r"^\| \w.+\| `(.+)` \|$", (DOCS / "glossary.md").read_text(), re.M)

    assert rows
    for name in {part for row in rows for part in re.findall(r"\w+", row)}:
        assert re.search(rf"\b{name}\b", sources), name


def test_the_readme_is_short_enough_to_read() -> None:
    assert len((PROJECT / "README.md").read_text().splitlines()) < 120


def test_the_glossary_is_short_enough_to_learn() -> None:
    rows = re.findall(r"^\| \w.+ \|$", (DOCS / "glossary.md").read_text(), re.M)[1:]

    assert len(rows) <= 40


GENERATED = ("screens/", "reference/")
"""Made when the site is built."""


def test_every_link_between_pages_leads_somewhere() -> None:
    broken = [
        f"{page.relative_to(PROJECT)}: {link}"
        for page in (PROJECT / "README.md", *DOCS.rglob("*.md"))
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not link.startswith(GENERATED) and not (page.parent / link).exists()
    ]

    assert [] == broken


PAGES = (PROJECT / "README.md", *sorted(DOCS.rglob("*.md")))
CODE = re.compile(r"^(`{3,}).*?^\1$", re.M | re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_every_link_to_a_heading_finds_it(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]*)#([^)]*)\)", page.read_text())
    targets = [(page.parent / name if name else page, anchor) for name, anchor in links]

    assert [] == [
        f"{target.name}#{anchor}"
        for target, anchor in targets
        if target.exists() and anchor not in headings(target)
    ]


@cache
def headings(page: Path) -> set[str]:
    """The anchors that the site gives to the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text()), re.M)
    return {slugify(re.sub(r"\[(.*?)\]\(.*?\)", r"\1", title), "-") for title in titles}


FILE = re.compile(r"^```yaml\n(version: 1\n.*?)^```", re.M | re.S)
WHOLE_FILES = [
    pytest.param(text, id=f"{page.name}:{number}")
    for page in PAGES
    if page.name != "yaml.md"  # its blocks show a key each
    for number, text in enumerate(FILE.findall(page.read_text()))
]


@pytest.mark.parametrize("text", WHOLE_FILES)
def test_every_whole_file_in_a_page_is_valid(text: str) -> None:
    load_bytes(text.encode(), "/srv/myapp/reconcile.yaml")


SAFETY = (DOCS / "safety.md").read_text()
HELD = re.findall(r"^\| (.+?) \| (`\S+::.+) \|$", SAFETY, re.M)
"""Each row of a table in safety.md: what is promised, and the tests that hold it."""


@pytest.mark.parametrize(("promise", "tests"), HELD)
def test_every_test_that_holds_a_promise_exists(promise: str, tests: str) -> None:
    for named in re.findall(r"`(.+?)`", tests):
        file, _, name = named.partition("::")
        source = (PROJECT / "tests" / file).read_text()
        assert re.search(rf"^ *def {name}\(", source, re.M), f"{promise}: {named}"


def test_every_promise_has_a_test_that_holds_it() -> None:
    section = SAFETY.partition("## What it promises")[2].partition("\n### ")[0]
    promised = re.findall(r"^- \*\*(.+?)[.,:]?\*\*", section, re.M)

    assert [promise for promise, _ in HELD][: len(promised)] == promised
