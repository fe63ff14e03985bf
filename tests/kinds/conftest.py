"""A host whose state lies in a folder of the test's own."""

from __future__ import annotations

from tests.host.conftest import host, recorder, site

__all__ = ["host", "recorder", "site"]
