"""Compression of a site's responses on the fly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.site.extra import find_in_extra, place_in_extra

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.site.site import Site

_DIRECTIVES = ("gzip", "gzip_vary", "gzip_types", "gzip_min_length", "gzip_http_version")


def check_gzip(loc: Loc, site: Site, config: Config) -> Iterator[Violation]:
    """The key and `extra` do not both decide; the default yields to `extra`."""
    in_extra = find_in_extra(site.extra, "gzip")
    if site.gzip is not None and in_extra:
        message = f"`extra` sets gzip too ({place_in_extra(config, loc, in_extra)})"
        yield Violation((*loc, "gzip"), message, "remove one of them")


def compresses(site: Site, extra: str) -> bool:
    """Whether text is compressed in a location with that `extra`, as this key does it."""
    texts = (site.extra, extra)
    is_own = not any(find_in_extra(text, name) for text in texts for name in _DIRECTIVES)
    return uses_gzip(site) and site.adopted is None and is_own


def uses_gzip(site: Site) -> bool:
    """Whether text is compressed."""
    return site.gzip is not False
