"""The sources that releases are made of, as they are now."""

from __future__ import annotations

import json
from posixpath import basename
from typing import TYPE_CHECKING

from reconcile.config.host_facts import SourceFacts
from reconcile.config.site.app_release import CURRENT, excluded_of
from reconcile.config.site.release_placeholder import with_releases
from reconcile.filesystem.host_error import HostError
from reconcile.resources.release import left_out_notes

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.filesystem.release.listing import ReleaseListing
    from reconcile.system import Host


def read_release_sources(config: Config, host: Host) -> dict[str, SourceFacts]:
    """The source of each site's release. Errors: HostError where one cannot be read."""
    found: dict[str, SourceFacts] = {}
    for name, site in config.sites.items():
        release = site.app.release if site.app else None
        if release is not None:
            listing = host.files.release_listing(release.source, excluded_of(site))
            notes = tuple(left_out_notes(release.source, listing.not_copied))
            found[name] = SourceFacts(
                _content_digest(host, name, listing), len(listing.files), notes
            )
    return found


def as_in_use(config: Config, host: Host) -> Config:
    """The configuration for who examines the host: with the release of each app that runs."""
    in_use: dict[str, str] = {}
    for name, site in config.sites.items():
        settings = site.app.release if site.app else None
        link = f"{settings.into}/{CURRENT}" if settings else ""
        found = host.files.stat(link) if link else None
        if found is not None and found.kind == "symlink":
            in_use[name] = basename(host.files.readlink(link))
    return with_releases(config, in_use)


def _content_digest(host: Host, site: str, listing: ReleaseListing) -> str:
    """The digest of its contents; by the record where nobody has touched a file since."""
    fingerprint = listing.fingerprint
    if known := _recorded(host, site, fingerprint):
        return known
    return host.files.release_content(listing)


def _recorded(host: Host, site: str, fingerprint: str) -> str:
    try:
        record = json.loads(host.state.read(_record_name(site)) or b"{}")
        return str(record["content"]) if record["fingerprint"] == fingerprint else ""
    except (HostError, ValueError, KeyError, TypeError):
        # Without the record, or where only root may read it, the files are read.
        return ""


def record_release_source(host: Host, site: str, listing: ReleaseListing, content: str) -> None:
    """Record what was read, so that a source that stays as it is need not be read again."""
    record = {"fingerprint": listing.fingerprint, "content": content}
    host.state.write(_record_name(site), json.dumps(record).encode())


def _record_name(site: str) -> str:
    return f"releases/{site}.json"
