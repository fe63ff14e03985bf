"""The marks of tests on throw-away hosts."""

from __future__ import annotations

import pytest

from tests.support.needs_root import needs_root

ON_HOSTS = [pytest.mark.process, needs_root("can cover folders with its own")]
