"""What is requested of a site after an apply, part by part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reconcile.config.probes import Probe
from reconcile.config.site.access import access_probes
from reconcile.config.site.app import app_probes
from reconcile.config.site.error_pages import error_page_probes
from reconcile.config.site.file_location import file_location_probes
from reconcile.config.site.http2 import http2_probes
from reconcile.config.site.location_probes import files_probe, location_probes
from reconcile.config.site.maintenance import maintenance_probes
from reconcile.config.site.probe import compile_probe, default_crawl
from reconcile.config.site.proxy_location import proxy_location_probes
from reconcile.config.site.redirects import redirect_probes
from reconcile.config.site.tls import certificate_probe, tls_probes

if TYPE_CHECKING:
    from reconcile.config.context import SiteContext


def site_probes(site: SiteContext) -> Iterator[Probe]:
    """The site's probes; an adopted file may serve locations in its own way."""
    if site.declared.adopted:
        yield from app_probes(site, served_by=None)
        for prefix, location in site.declared.locations.items():
            if location.role in ("static", "media"):
                yield files_probe(site, prefix, location)
    else:
        yield from http2_probes(site)
        yield from redirect_probes(site)
        if site.declared.has_content:
            yield from tls_probes(site)
            yield from app_probes(site, served_by="app")
            yield from maintenance_probes(site)
            yield from error_page_probes(site)
        for prefix, location in site.declared.locations.items():
            yield from location_probes(site, prefix, location)
        for key, file in site.declared.files.items():
            yield from file_location_probes(site, key, file)
        for key, proxied in site.declared.proxied.items():
            yield from proxy_location_probes(site, key, proxied)
        yield from access_probes(site)
    yield from certificate_probe(site)
    for settings in site.declared.probes:
        yield compile_probe(site, settings)
    yield from default_crawl(site)
