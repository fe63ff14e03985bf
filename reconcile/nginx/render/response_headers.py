"""The headers that nginx adds at each level: it inherits all of an outer level's, or none."""

from __future__ import annotations

from collections.abc import Iterable

from reconcile.nginx.render.site_view import Header, LocationView, ProxyLocationView, SiteView
from reconcile.types import LocationRole

SentHeader = tuple[str, str]
NOSNIFF: Header = ("X-Content-Type-Options", "nosniff")
SANDBOX: Header = ("Content-Security-Policy", "sandbox; default-src 'none'")
HSTS = "Strict-Transport-Security"
DEFAULT_HEADERS: dict[LocationRole, tuple[Header, ...]] = {
    "static": (NOSNIFF,),
    "media": (NOSNIFF, SANDBOX),
    "private": (NOSNIFF,),
}
"""What the files of a location have unless the YAML replaces it or takes it away."""


def merge_headers(*levels: Iterable[Header]) -> tuple[SentHeader, ...]:
    """One header for each name, the last level's; a value of None takes the header away."""
    merged = {name.lower(): (name, value) for level in levels for name, value in level}
    return tuple((name, value) for name, value in merged.values() if value is not None)


def site_headers(site: SiteView) -> tuple[SentHeader, ...]:
    """The headers of everything that no location answers."""
    return merge_headers(_hsts(site), site.headers)


def location_headers(site: SiteView, location: LocationView) -> tuple[SentHeader, ...]:
    """The whole set of a location's headers: defaults, the site's, and its own."""
    defaults = DEFAULT_HEADERS[location.role]
    return merge_headers(defaults, _hsts(site), site.headers, location.headers)


def proxied_headers(site: SiteView, location: ProxyLocationView) -> tuple[SentHeader, ...]:
    """The whole set of what is passed on, without defaults: those are for files."""
    return merge_headers(_hsts(site), site.headers, location.headers)


def _hsts(site: SiteView) -> tuple[Header, ...]:
    return ((HSTS, site.tls.hsts),) if site.tls and site.tls.hsts else ()
