"""Skip what only root can do, or arrange."""

from __future__ import annotations

import os

import pytest


def needs_root(reason: str) -> pytest.MarkDecorator:
    """The mark of tests that another user skips, and why that cannot run them."""
    return pytest.mark.skipif(os.geteuid() != 0, reason=f"only root {reason}")
