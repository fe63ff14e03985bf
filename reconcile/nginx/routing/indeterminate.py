"""What cannot be determined about a request without asking nginx."""

from __future__ import annotations


class Indeterminate(Exception):
    """Nginx's choice cannot be determined statically; `reason` explains why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
