"""The links of a built site, each followed to its file and anchor."""

from __future__ import annotations

import os
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


def broken_links(site: Path, docs: Path) -> Iterator[str]:
    """Each link of a page to what the site lacks, or to what its visitors would load elsewhere.

    What `docs` holds as HTML itself are files of examples.
    """
    built = (path for path in sorted(site.rglob("*.html")) if path.name != "404.html")
    pages = {path: _read(path) for path in built if not (docs / path.relative_to(site)).exists()}
    for page, found in pages.items():
        for tag, link in found.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if tag != "a":
                    yield f"{page.relative_to(site)}: loads {link}"
                continue
            target = _file_of(site, page, unquote(parts.path))
            anchors = pages[target].anchors if target in pages else None
            if not target.is_file() or (
                parts.fragment and anchors and parts.fragment not in anchors
            ):
                yield f"{page.relative_to(site)}: {link}"


def _file_of(site: Path, page: Path, path: str) -> Path:
    if not path:
        return page
    named = site / path.lstrip("/") if path.startswith("/") else page.parent / path
    target = Path(os.path.normpath(named))
    return target / "index.html" if target.is_dir() else target


class _Page(HTMLParser):
    """The anchors of a page, and its links with the tags that have them."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif name in ("href", "src") and value:
                self.links.append((tag, value))


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text())
    return page
