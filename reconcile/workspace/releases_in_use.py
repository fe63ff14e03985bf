"""Which release of each app runs now."""

from __future__ import annotations

from posixpath import basename
from typing import TYPE_CHECKING

from reconcile.config.site.release_placeholder import with_releases

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.system import Host


def as_in_use(config: Config, host: Host) -> Config:
    """The configuration with the release of each app that runs, for commands that examine it."""
    in_use: dict[str, str] = {}
    for name, site in config.sites.items():
        settings = site.app.release if site.app else None
        link = settings.link if settings else ""
        found = host.files.stat(link) if link else None
        if found is not None and found.kind == "symlink":
            in_use[name] = basename(host.files.readlink(link))
    return with_releases(config, in_use)
