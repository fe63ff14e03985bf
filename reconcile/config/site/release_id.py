"""Which release a site declares: its id is a digest of all that goes into it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from reconcile.config.fields.path_types import RELEASE
from reconcile.engine.digest import digest

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.context import CompileContext
    from reconcile.config.host_facts import HostFacts
    from reconcile.config.site.site import Site

ID_LENGTH = 12
UNKNOWN_ID = "unknown"
"""Where the source was not read: nothing is planned then."""


def release_id(site: Site, content: str) -> str:
    """The id of the release that is made of `content`, the digest of a source.

    It depends on all that its steps are given, and never on what they make of that.
    """
    gunicorn = site.app.gunicorn if site.app else None
    release = site.app.release if site.app else None
    steps = [[step.run, step.writable] for step in release.all_steps] if release else []
    environment = [gunicorn.environment, gunicorn.environment_file] if gunicorn else []
    found = digest([content, steps, environment])
    return found.removeprefix("sha256:")[:ID_LENGTH]


def id_in(facts: HostFacts, name: str, site: Site) -> str:
    """The id of the release that the file declares now."""
    found = facts.release_sources.get(name)
    return release_id(site, found.digest) if found else UNKNOWN_ID


def only_release(config: Config) -> str | None:
    """The one site whose app has releases; None where there is none, or several."""
    names = [name for name, site in config.sites.items() if site.app and site.app.release]
    return names[0] if len(names) == 1 else None


def release_names(config: Config) -> Iterator[tuple[str, re.Pattern[str]]]:
    """What names the release of a site in the keys of a service: {release}, or the link to it."""
    if one := only_release(config):
        yield one, re.compile(re.escape(RELEASE))
    for name, site in config.sites.items():
        if site.app and site.app.release:
            yield name, re.compile(rf"(?<![\w./-]){re.escape(site.app.release.link)}(?![\w.-])")


def release_folder(context: CompileContext, name: str) -> str:
    """The folder of the release that the file declares now for the app of that site."""
    site = context.config.sites[name]
    settings = site.app.release if site.app else None
    return f"{settings.folder if settings else ''}/{id_in(context.facts, name, site)}"
