"""The sources that releases are made of, as they are now."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reconcile.config.host_facts import SourceFacts
from reconcile.filesystem.host_error import HostError
from reconcile.resources.common import left_out_notes, unfetched_notes

if TYPE_CHECKING:
    from reconcile.config.outline import ConfigOutline
    from reconcile.filesystem.release.listing import ReleaseListing
    from reconcile.system import Host


def read_release_sources(outline: ConfigOutline, host: Host) -> dict[str, SourceFacts]:
    """The source of each site's release. Errors: HostError where one cannot be read."""
    found: dict[str, SourceFacts] = {}
    for name, (source, excluded) in outline.release_sources.items():
        _refuse_no_folder(host, name, source)
        listing = host.files.release_listing(source, excluded)
        unfetched = host.files.release_unfetched(listing)
        notes = (*left_out_notes(source, listing.not_copied), *unfetched_notes(source, unfetched))
        found[name] = SourceFacts(_content_digest(host, name, listing), len(listing.files), notes)
    return found


def _refuse_no_folder(host: Host, site: str, source: str) -> None:
    found = host.files.stat(source, follow=True)
    if found is None or found.kind != "directory":
        raise HostError(
            f"the source of the release of {site}, {source}, "
            + ("does not exist" if found is None else "is not a directory"),
            fix=f"Put the app there, or correct sites.{site}.app.release.source.",
        )


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
