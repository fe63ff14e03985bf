"""A host whose state lies in a folder of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.host import host, recorder, site

__all__ = ["host", "recorder", "site"]


@pytest.fixture
def root(site: Path) -> Path:
    """An empty static root."""
    root = site / "static"
    root.mkdir()
    return root
