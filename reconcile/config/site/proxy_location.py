"""Locations that are passed on: to another upstream, or to the app with settings of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.quantities import Duration, Size
from reconcile.config.probes import SERVER_ERRORS, Expectation, Probe
from reconcile.config.site.access import access_view, check_location_access
from reconcile.config.site.app import BAD_GATEWAY, websocket_probe
from reconcile.config.site.extra import check_extra, find_in_extra
from reconcile.config.site.headers import check_location_headers, declared_headers
from reconcile.config.site.location_keys import LocationKeys
from reconcile.config.site.rate_limit import RateLimit, rate_limit_probe, rate_limit_view
from reconcile.config.site.upstream import UpstreamChoice, check_upstreams, proxy_view
from reconcile.nginx.render.site_view import ProxyLocationView

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.context import SiteContext
    from reconcile.config.site.site import Site


class ProxyLocation(LocationKeys):
    """A part of the site that is passed on."""

    role: Literal["proxy"] = Field(description="proxy: passed on to an upstream.")
    upstream: UpstreamChoice | None = Field(
        default=None, description="The upstream; by default the site's app."
    )
    strip_prefix: bool = Field(
        default=False, description="Remove the prefix from the URL that is passed on."
    )
    timeout: Duration | None = Field(
        default=None, description="How long nginx waits to connect, send and read."
    )
    websocket: bool | None = Field(
        default=None, description="Pass on WebSocket connections; by default false."
    )
    max_upload: Size | None = Field(
        default=None, description="The largest request body; by default the site's."
    )
    rate_limit: RateLimit | None = Field(
        default=None,
        description="How many requests one client may send; beyond that the response is 429.",
    )

    @property
    def upstreams(self) -> tuple[str, ...]:
        """Every address, none where it is the app."""
        if self.upstream is None:
            return ()
        return (self.upstream,) if isinstance(self.upstream, str) else self.upstream


def check_proxy_location(
    loc: Loc, location: ProxyLocation, site: Site, config: Config
) -> Iterator[Violation]:
    """There is somebody to pass requests on to, and each setting is given once."""
    key = str(loc[-1])
    if not location.upstreams and not site.app:
        yield Violation(loc, "this location has no upstream, and the site no app", "add upstream")
    if key == "/" and site.app and location.upstreams:
        yield Violation(loc, "the location / belongs to the app", "remove one of both upstreams")
    if location.strip_prefix and not key.endswith("/"):
        yield Violation((*loc, "strip_prefix"), f"{key} is a single URL, not a prefix")
    if location.timeout == 0:
        yield Violation((*loc, "timeout"), "timeout has to be a second or more")
    yield from check_upstreams((*loc, "upstream"), location.upstreams)
    yield from check_location_headers(loc, location, site, config)
    yield from check_location_access(loc, location, site, config)
    yield from check_extra(loc, location.extra)
    if location.rate_limit and find_in_extra(location.extra, "limit_req"):
        yield Violation((*loc, "rate_limit"), "`extra` has limit_req too", "remove one of them")


def proxy_location_view(
    site: SiteContext, key: str, location: ProxyLocation
) -> ProxyLocationView | None:
    """What nginx's template is given; None where the app has no address."""
    app = site.app if not location.upstreams else None
    servers = location.upstreams or site.app.upstreams or (site.upstream or "",)
    websocket, timeout_s = location.websocket, location.timeout
    if app:
        websocket = app.websocket if websocket is None else websocket
        timeout_s = timeout_s or app.timeout
    if not servers[0]:
        return None
    return ProxyLocationView(
        key=key,
        proxy=proxy_view(site, servers, timeout_s=timeout_s, websocket=bool(websocket)),
        strip_prefix=location.strip_prefix,
        max_upload_bytes=location.max_upload,
        headers=tuple(location.headers.items()),
        rate_limit=rate_limit_view(location.rate_limit),
        access=access_view(
            site, location.access, is_declared="access" in location.model_fields_set
        ),
        extra=location.extra,
    )


def proxy_location_probes(site: SiteContext, key: str, location: ProxyLocation) -> Iterator[Probe]:
    """It is no server error; at least nginx has to reach the upstream."""
    headers = declared_headers(site, location)
    expect = Expectation(not_status=SERVER_ERRORS, headers=headers)
    probe = site.http_probe(f"{key} is passed on", key, expect)
    yield replace(probe, minimum=Expectation(not_status=BAD_GATEWAY))
    if location.websocket:
        yield websocket_probe(site, key)
    if location.rate_limit:
        yield rate_limit_probe(site, key, location.rate_limit)
