"""Names are the field's words: a reader who knows nginx and Terraform needs no dictionary."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

REFUSED = re.compile(
    r"tells?|told|says?|said|looks?|looked|looking|seen|spots?|spotted|settled|unsaid|untold"
    r"|foretell|foretold|foresight|borne|mends?|mended|ships?|shipped|witness|trail|kin|judged?"
    r"|judges|ours|nobody|errands?|mandatory|complaints?"
)
"""Use report, show, read, find, fix, copy, match, check, required instead."""

ALLOWED = {
    "first_seen": "when drift was first detected: the field's own term, and a key of files on disk",
}


@pytest.mark.parametrize("room", sorted(path.name for path in (ROOT / "reconcile").iterdir()))
def test_no_name_has_a_word_of_dialect(room: str) -> None:
    dialect = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in modules(ROOT / "reconcile" / room)
        for line, name in defined_names(ast.parse(path.read_text()))
        if any(map(REFUSED.fullmatch, words(name)))
    ]

    assert [] == dialect


def modules(path: Path) -> list[Path]:
    return sorted(path.rglob("*.py")) if path.is_dir() else [path] * (path.suffix == ".py")


def defined_names(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of each class, function, parameter, field and variable."""
    for node in ast.walk(module):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield node.lineno, name
            case ast.arg(arg=name):
                yield node.lineno, name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name


def words(name: str) -> set[str]:
    """`is_kept`, `IsKept` → {"is", "kept"}, without the phrases that are allowed."""
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    for phrase in ALLOWED:
        snake = snake.replace(phrase, "")
    return set(re.findall(r"[a-z]+", snake))
