"""A host whose services are processes of the process manager."""

from tests.support.process_manager import host, journal, write_unit

__all__ = ["host", "journal", "write_unit"]
