"""What is requested of a location after an apply."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reconcile.config.probes import Expectation, FilesProbe, HttpProbe, Probe, UploadDirectoryProbe
from reconcile.config.site.gzip import compresses
from reconcile.config.site.headers import declared_headers
from reconcile.config.site.listen_ports import main_endpoint
from reconcile.config.site.location import HEALTH_CONTENT, HEALTH_FILE, Location, cache_control

if TYPE_CHECKING:
    from reconcile.config.context import SiteContext


def location_probes(site: SiteContext, prefix: str, location: Location) -> Iterator[Probe]:
    """Whether nginx serves the location's files, and nothing that it should not serve."""
    not_found = Expectation(frozenset({404}), served_by="nginx")
    if location.role == "private":
        yield site.http_probe(f"{prefix} is closed to visitors", prefix, not_found)
        return
    if prefix != "/":
        redirect = Expectation(frozenset({301}), served_by="nginx")
        yield site.http_probe(
            f"{prefix} without its slash is redirected", prefix.rstrip("/"), redirect
        )
    yield site.http_probe(f"{prefix} hides dotfiles", f"{prefix}.reconcile-probe", not_found)
    yield files_probe(site, prefix, location)
    if location.fallback:
        yield from _fallback_probes(site, prefix)
    if location.role == "static":
        yield _health_probe(site, prefix, location)
    else:
        yield _upload_directory_probe(site, prefix, location)


def _fallback_probes(site: SiteContext, prefix: str) -> Iterator[HttpProbe]:
    page = Expectation(frozenset({200}), served_by="nginx")
    yield site.http_probe(f"{prefix} has a page for every URL", f"{prefix}reconcile-probe", page)
    missing = Expectation(frozenset({404}), served_by="nginx")
    asset = f"{prefix}reconcile-probe.js"
    yield site.http_probe(f"{prefix} has no page for a missing file", asset, missing)


def files_probe(site: SiteContext, prefix: str, location: Location) -> FilesProbe:
    """Whether visitors get the bytes of the location's files."""
    every = site.declared.all_locations
    others = (one for one in every if one != prefix and one.startswith(prefix))
    return FilesProbe(
        name=site.probe_name(f"{prefix} sends what is on the disk"),
        site=site.name,
        endpoint=main_endpoint(site),
        prefix=prefix,
        dir=location.dir,
        others=tuple(others),
        is_adopted=site.declared.adopted is not None,
        uploads=location.role == "media",
        compresses=compresses(site.declared, location.extra),
    )


def _health_probe(site: SiteContext, prefix: str, location: Location) -> HttpProbe:
    # The source may have a health file of its own, with any content.
    body = None if location.source else HEALTH_CONTENT.decode()
    expect = _served_file(site, location, body)
    return site.http_probe(f"{prefix} serves files", prefix + HEALTH_FILE, expect)


def _upload_directory_probe(site: SiteContext, prefix: str, location: Location) -> Probe:
    owner = site.owner_of(location)
    return UploadDirectoryProbe(
        name=site.probe_name(f"{prefix} serves what the app saves"),
        site=site.name,
        endpoint=main_endpoint(site),
        prefix=prefix,
        dir=location.dir,
        writer=(site.app_user or owner.user) if site.facts.privileged else None,
        mode=owner.files,
        expect=_served_file(site, location),
    )


def _served_file(site: SiteContext, location: Location, body: str | None = None) -> Expectation:
    header = cache_control(site, location)
    # Which policy the name of a probe's file gets depends on the patterns.
    header = None if location.cache_by_name else header
    cache = (("Cache-Control", header),) if header else ()
    headers = (*cache, *declared_headers(site, location))
    return Expectation(frozenset({200}), headers=headers, body=body, served_by="nginx")
