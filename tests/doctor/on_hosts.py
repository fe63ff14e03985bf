"""The marks of tests on throw-away hosts."""

from __future__ import annotations

import pytest

from tests.support.needs_root import needs_root

# All hosts are diagnosed for the first test, which takes long on a busy machine.
ON_HOSTS = [
    pytest.mark.process,
    pytest.mark.timeout(1200),
    needs_root("can cover folders with its own"),
]
