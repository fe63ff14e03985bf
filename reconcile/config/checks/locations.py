"""Each location by itself: what its role allows."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.config.checks.fault import Fault
from reconcile.config.models.locations import Location
from reconcile.config.models.spec import Spec
from reconcile.config.nodes import Loc
from reconcile.config.tree import inside


def check_locations(spec: Spec) -> Iterator[Fault]:
    for name, site in spec.sites.items():
        for prefix, location in site.locations.items():
            loc = ("sites", name, "locations", prefix)
            yield from _check_role(loc, location)
            if prefix == "/" and site.app:
                yield Fault(loc, "the location / belongs to the app", "serve files below /static/")


def _check_role(loc: Loc, location: Location) -> Iterator[Fault]:
    if location.role != "static":
        for key in ("source", "prune", "precompress"):
            if getattr(location, key):
                message = f"{key} is for static files; {location.role} files are never changed"
                yield Fault((*loc, key), message, f"leave out {key}")
    elif not location.source:
        if location.prune:
            yield Fault((*loc, "prune"), "prune needs a source that says what belongs here")
        if location.precompress:
            yield Fault((*loc, "precompress"), "precompress needs a source to make copies of")
    if location.role == "private" and location.cache:
        yield Fault((*loc, "cache"), "the app gives private files their Cache-Control")
    if location.source and _overlap(location.source, location.dir):
        yield Fault((*loc, "source"), "source and dir lie in each other", "keep them apart")


def _overlap(one: str, other: str) -> bool:
    return inside(one, other) or inside(other, one)
