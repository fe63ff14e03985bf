"""Values that can be written in a short form in place of their mapping."""

from __future__ import annotations

from typing import Any

from pydantic import Discriminator


def short_or_mapping(short: str, mapping: str, model: type) -> Discriminator:
    """Choose the tag `mapping` for a mapping or the model made of one, otherwise `short`."""

    def tag_of(value: Any) -> str:
        """The tag of a value as the file has it."""
        return mapping if isinstance(value, dict | model) else short

    return Discriminator(tag_of)
