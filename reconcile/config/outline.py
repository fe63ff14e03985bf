"""What a configuration asks of its host before it is compiled."""

from __future__ import annotations

from collections.abc import Mapping

from reconcile.dataclass import dataclass
from reconcile.system import HostSettings


@dataclass(frozen=True)
class ConfigOutline:
    """Which file it is, how its host is opened, and what the facts of that host have to answer.

    `sites` are their names. `links`, `contents` and `copies` are what `paths` declares: path →
    target, text, source. `file_sources` are the files whose content is copied, `readable_paths`
    those that nginx may read as configuration. `certificates` are those of certbot,
    `obtained_certificates` (by site) those that an apply has certbot obtain. `release_sources`:
    site → the folder that its releases are made of, and what of it is left out.
    """

    file: str
    digest: str
    settings: HostSettings
    sites: frozenset[str]
    worker_user: str | None
    links: Mapping[str, str]
    contents: Mapping[str, str]
    copies: Mapping[str, str]
    file_sources: tuple[str, ...]
    readable_paths: frozenset[str]
    certificates: tuple[str, ...]
    obtained_certificates: Mapping[str, str]
    release_sources: Mapping[str, tuple[str, tuple[str, ...]]]
