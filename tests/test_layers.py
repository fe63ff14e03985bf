"""No room names a room above itself: imports are held by import-linter, strings here."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from reconcile.resources.undo_records import UNDO_MODULES

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "reconcile"
MODULE = re.compile(r"reconcile(\.\w+)+\.?")


def ranks() -> dict[str, int]:
    """Room → its layer, counted from the bottom; rooms of one layer share it."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    return {
        room: rank
        for rank, layer in enumerate(reversed(layers))
        for room in re.findall(r"reconcile\.(\w+)", layer)
    }


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each string that is the dotted name of a module, whole or in part."""
    for node in ast.walk(ast.parse(path.read_text())):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(node, ast.Constant) and isinstance(text, str) and MODULE.fullmatch(text):
            yield node.lineno, text


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_no_room_names_one_above_it_in_a_string() -> None:
    rank = ranks()

    upward = [
        f"{path.relative_to(ROOT)}:{line} {text}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, text in strings(path)
        if rank.get(text.split(".")[1], 0) > rank.get(room_of(path), len(rank))
    ]

    assert [] == upward


def test_every_module_with_undo_records_is_registered() -> None:
    """Without it a journal that holds one of its records would look damaged."""
    defining = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in PACKAGE.rglob("*.py")
        if re.search(r"^@undo_record$", path.read_text(), re.MULTILINE)
    }

    assert defining == {module.__name__ for module in UNDO_MODULES}
