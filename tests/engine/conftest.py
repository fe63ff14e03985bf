"""Machines to apply to."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.machine import Machine


def in_box(box: Path) -> Machine:
    (box / "root").mkdir(parents=True)
    return Machine(str(box / "root"), str(box / "state"))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return in_box(tmp_path / "box")


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory, where thousands of flushes cost nothing."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture
def swift_machine(memory: Path) -> Machine:
    return in_box(memory / "box")
