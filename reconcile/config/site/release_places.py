"""What lies in a folder of releases goes with them, so nothing else may be there.

That is the folder of all releases, and the link to the one in use, which leads into it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.filesystem.path import ancestors, is_inside, upwards

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.site.app_release import ReleaseSettings
    from reconcile.config.site.site import Site

OUTSIDE = "use a directory outside, such as one below /var/lib"
FROM_RELEASE = 'use source: "{release}/static", and a directory outside'


class _Written(NamedTuple):
    """A directory that is written, and by what."""

    loc: Loc
    path: str
    what: str


class _Places:
    """Where releases come and go, and which of these a path overlaps."""

    def __init__(self, config: Config) -> None:
        releases = filter(None, map(_release, config.sites.values()))
        places = [place for release in releases for place in release.places]
        self._places = frozenset(places)
        self._above = {above: one for one in reversed(places) for above in ancestors(one)}

    def __bool__(self) -> bool:
        return bool(self._places)

    def around(self, path: str) -> str | None:
        """The one that contains `path`."""
        return next((one for one in upwards(path) if one in self._places), None)

    def overlapping(self, path: str) -> str | None:
        """One that contains `path`, or that it contains."""
        return self.around(path) or self._above.get(path)


def check_release_places(config: Config) -> Iterator[Violation]:
    """Nothing that has to stay is where releases come and go."""
    places = _Places(config)
    if not places:
        return
    for name, site in config.sites.items():
        yield from _check_served(("sites", name, "locations"), site, places)
        yield from _check_folders(("sites", name, "app", "release"), site, places)
    for one in _written(config):
        if places.overlapping(one.path):
            message = f"{one.what}, {one.path}, is never part of a release"
            yield Violation(one.loc, message, OUTSIDE)
    for path in config.paths:
        if place := places.around(path):
            yield Violation(("paths", path), f"releases come and go in {place}", OUTSIDE)


def _release(site: Site) -> ReleaseSettings | None:
    return site.app.release if site.app else None


def _check_served(loc: Loc, site: Site, places: _Places) -> Iterator[Violation]:
    release = _release(site)
    for prefix, location in site.locations.items():
        hint = FROM_RELEASE if location.role == "static" else OUTSIDE
        if place := places.overlapping(location.dir):
            message = f"{place} and the directory that {prefix} serves contain each other"
            yield Violation((*loc, prefix, "dir"), message, hint)
        if release and location.source and is_inside(location.source, release.link):
            message = f"{location.source} is of the release before until after the switch"
            yield Violation((*loc, prefix, "source"), message, 'begin it with "{release}"')


def _check_folders(loc: Loc, site: Site, places: _Places) -> Iterator[Violation]:
    release = _release(site)
    if release is None:
        return
    if place := places.overlapping(release.source):
        message = f"the source and {place} contain each other"
        yield Violation((*loc, "source"), message, "use separate directories")
    if place := places.around(release.into):
        yield Violation((*loc, "into"), f"releases come and go in {place}", OUTSIDE)


def _written(config: Config) -> Iterator[_Written]:
    """What apps, steps and services write."""
    for name, site in config.sites.items():
        at = ("sites", name, "app")
        gunicorn = site.app.gunicorn if site.app else None
        for index, path in enumerate(gunicorn.writable if gunicorn else ()):
            loc: Loc = (*at, "gunicorn", "writable", index)
            yield _Written(loc, path, "what the app writes")
        release = _release(site)
        for number, step in enumerate(release.all_steps if release else ()):
            for index, path in enumerate(step.writable):
                loc = (*at, "release", "steps", number, "writable", index)
                yield _Written(loc, path, "what a step writes")
    for name, service in config.services.items():
        for index, path in enumerate(service.writable):
            yield _Written(("services", name, "writable", index), path, "what the service writes")
