"""The files of its own server that a page loads."""

from __future__ import annotations

import re
from urllib.parse import unquote, urljoin, urlsplit

_LINK = re.compile(
    rb"""<(?:link|script|img|source|video|audio)\b[^>]*?\s(?:href|src)\s*=\s*["']([^"'>]+)""",
    re.IGNORECASE,
)
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_BASE = "here.invalid"


def linked_files(body: bytes, page: str, host: str) -> list[str]:
    """The paths of files that a page at the path `page` loads from `host`, each once."""
    found: dict[str, None] = {}
    for raw in _LINK.findall(body):
        link = urlsplit(urljoin(f"http://{_BASE}{page}", raw.decode("utf-8", "replace")))
        if link.netloc in (_BASE, host) and _SUFFIX.search(unquote(link.path)):
            found[link.path] = None
    return list(found)
