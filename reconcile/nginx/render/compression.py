"""Compression of responses on the fly: text, whoever makes it."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.nginx.model.config_loader import parse
from reconcile.nginx.render.site_view import SiteView

TEXT_TYPES = (
    *("text/css", "text/csv", "text/javascript", "text/markdown", "text/plain", "text/vtt"),
    *("text/xml", "application/javascript", "application/json", "application/ld+json"),
    *("application/manifest+json", "application/xml", "application/atom+xml"),
    *("application/rss+xml", "image/svg+xml"),
)
"""Beside text/html, which nginx always compresses. A stream of events would be held back."""
_DIRECTIVES = (
    ("gzip", "on"),
    ("gzip_vary", "on"),
    ("gzip_proxied", "any"),
    ("gzip_min_length", "1024"),
    ("gzip_types", *TEXT_TYPES),
)
DIRECTIVES = frozenset(name for name, *_ in _DIRECTIVES)


def gzip_directives(site: SiteView) -> Iterator[tuple[str, ...]]:
    """The directives of the server block that `extra` does not set itself."""
    if site.gzip is None:
        return
    taken = {
        one.name for one in parse(site.extra.encode("utf-8", "surrogateescape"), "").directives
    }
    for words in _DIRECTIVES if site.gzip else (("gzip", "off"),):
        if words[0] not in taken:
            yield words
