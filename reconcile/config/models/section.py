"""What all parts of the file have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A mapping of the file: every key known, every value of exactly its type, never changed.

    The validators are built once, from the top: most commands need no single section's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)
