"""Small types that several rooms share."""

from __future__ import annotations

from typing import Literal

Encoding = Literal["gzip", "br", "zstd"]
"""Of a compressed file, as in Content-Encoding."""

LocationRole = Literal["static", "media", "private"]
"""Whose files a location serves: the app's, its users', or those it grants access to."""
