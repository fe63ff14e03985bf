"""The recipes of docs/recipes.md."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/recipes.md"


def recipes() -> dict[str, str]:
    """Title → the YAML of each recipe, as a whole file."""
    parts = re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.M | re.S)
    blocks = {title: re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S) for title, text in parts}
    return {title: f"version: 1\n{found[0]}" for title, found in blocks.items() if found}
