"""A host whose state lies in a folder of the test's own."""

from tests.support.host import host, recorder, site

__all__ = ["host", "recorder", "site"]
