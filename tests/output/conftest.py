"""Golden texts: what is printed is compared with a file that a person has read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare with the golden file of that name; GOLDEN=write makes it anew."""

    def compare(name: str, actual: str) -> None:
        path = GOLDEN / name
        if os.environ.get("GOLDEN") == "write":
            path.write_text(actual + "\n", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == actual + "\n"

    return compare
