"""Which recipes are proven on a booted host, each by a test that names it."""

from __future__ import annotations

import pytest

PROVEN: set[str] = set()


def proves(title: str) -> pytest.MarkDecorator:
    """Give the test a host with that recipe."""
    PROVEN.add(title)
    return pytest.mark.parametrize("site", [title], indirect=True, ids=[title])
