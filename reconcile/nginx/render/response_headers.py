"""The headers that nginx adds at each level: it inherits all of an outer level's, or none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256

from reconcile.nginx.render.quote import Raw
from reconcile.nginx.render.site_view import (
    FileView,
    Header,
    LocationView,
    ProxyLocationView,
    SiteView,
)
from reconcile.nginx.render.upload_policy import POLICY, SANDBOX
from reconcile.types import LocationRole

SentHeader = tuple[str, str]
NOSNIFF: Header = ("X-Content-Type-Options", "nosniff")
ALLOW_ORIGIN = "Access-Control-Allow-Origin"
HSTS = "Strict-Transport-Security"
GUARDS = frozenset(name.lower() for name in (NOSNIFF[0], POLICY))
DEFAULT_HEADERS: dict[LocationRole, tuple[Header, ...]] = {
    "static": (NOSNIFF,),
    "media": (NOSNIFF, (POLICY, SANDBOX)),
    "private": (NOSNIFF,),
}
"""What the files of a location have unless the YAML replaces it or takes it away.

Of uploads, images, sound and film have a policy of their own instead of the sandbox."""


def merge_headers(*levels: Iterable[Header]) -> tuple[SentHeader, ...]:
    """One header for each name, the last level's; a value of None takes the header away."""
    merged = {name.lower(): (name, value) for level in levels for name, value in level}
    return tuple((name, value) for name, value in merged.values() if value is not None)


def site_headers(site: SiteView) -> tuple[SentHeader, ...]:
    """The headers of everything that no location answers."""
    return merge_headers(_hsts(site), site.headers)


def location_headers(site: SiteView, location: LocationView) -> tuple[SentHeader, ...]:
    """The whole set of a location's headers: defaults, the site's, and its own."""
    by_name = ((POLICY, location_variable(site, location, "policy")),)
    guards = (NOSNIFF, *by_name) if location.role == "media" else DEFAULT_HEADERS[location.role]
    own = (*location.headers, *_cors(site, location))
    # What is shown inline stays guarded, whatever the site sets.
    last = guards if location.inline else ()
    return merge_headers(guards, _hsts(site), site.headers, own, last)


def has_policy_by_name(site: SiteView, location: LocationView) -> bool:
    """Whether the names of uploads decide their policy: neither site nor location sets it."""
    policy = dict(location_headers(site, location)).get(POLICY)
    return policy == location_variable(site, location, "policy")


def _cors(site: SiteView, location: LocationView) -> Iterator[Header]:
    if len(location.cors) > 1:
        yield ALLOW_ORIGIN, location_variable(site, location, "origin")
        yield "Vary", "Origin"
    elif location.cors:
        yield ALLOW_ORIGIN, location.cors[0]


def location_variable(site: SiteView, location: LocationView, purpose: str) -> Raw:
    """A variable of the http block, where each location needs its own."""
    text = f"{site.name}\0{location.prefix}"
    return Raw(f"$reconcile_{purpose}_{sha256(text.encode()).hexdigest()[:8]}")


def file_headers(site: SiteView, file: FileView) -> tuple[SentHeader, ...]:
    """The whole set of a single URL."""
    return merge_headers((NOSNIFF,), _hsts(site), site.headers, file.headers)


def proxied_headers(site: SiteView, location: ProxyLocationView) -> tuple[SentHeader, ...]:
    """The whole set of what is passed on, without defaults: those are for files."""
    return merge_headers(_hsts(site), site.headers, location.headers)


def _hsts(site: SiteView) -> tuple[Header, ...]:
    return ((HSTS, site.tls.hsts),) if site.tls and site.tls.hsts else ()
