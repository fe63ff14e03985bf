"""A location becomes its directory, the way to it, and what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconcile.config.expansion.scope import SiteScope
from reconcile.config.models.locations import Location
from reconcile.config.models.owners import Owner
from reconcile.config.tree import inside
from reconcile.engine.model import Declared

HEALTH_FILE = "health.txt"
HEALTH_CONTENT = b"ok\n"


def expand_location(site: SiteScope, prefix: str, location: Location) -> Iterator[Declared]:
    owner = site.owner_of(location)
    at = ("locations", prefix, "dir")
    users = _visitors(site, location)
    yield from site.scope.way(location.dir, site.at(*at), (site.name,), *users)
    yield site.declare(
        "directory",
        *at,
        path=location.dir,
        user=owner.user,
        group=owner.group,
        mode=owner.dirs,
        enterable_by=users,
        protected=location.role != "static",
    )
    yield from _contents(site, prefix, location, owner)


def _visitors(site: SiteScope, location: Location) -> tuple[str, ...]:
    """Who has to get there: nginx, and the app where it writes."""
    users = [site.facts.worker_user]
    if location.role != "static" and site.site.app and site.app_user:
        users.append(site.app_user)
    return tuple(dict.fromkeys(users))


def _contents(site: SiteScope, prefix: str, location: Location, owner: Owner) -> Iterator[Declared]:
    common: dict[str, Any] = {
        "path": location.dir,
        "user": owner.user,
        "group": owner.group,
        "dirs": owner.dirs,
        "files": owner.files,
        "except_": _elsewhere(site, location),
    }
    at = ("locations", prefix)
    if location.role != "static":
        yield site.declare("tree", *at, **common, protected=True)
    elif location.source is None:
        yield site.declare("tree", *at, **common)
        if not site.site.adopted:
            yield _health_file(site, prefix, location, owner)
    else:
        yield site.declare(
            "assets",
            *at,
            **common,
            source=location.source,
            prune=location.prune,
            precompress=location.precompress,
            extra={HEALTH_FILE: HEALTH_CONTENT},
        )


def _elsewhere(site: SiteScope, location: Location) -> tuple[str, ...]:
    """What lies in the directory and has an owner of its own in `paths`."""
    paths = site.scope.spec.paths
    return tuple(sorted(p for p in paths if p != location.dir and inside(p, location.dir)))


def _health_file(site: SiteScope, prefix: str, location: Location, owner: Owner) -> Declared:
    return site.declare(
        "file",
        "locations",
        prefix,
        path=f"{location.dir}/{HEALTH_FILE}",
        content=HEALTH_CONTENT,
        user=owner.user,
        group=owner.group,
        mode=owner.files,
    )
