"""The directories of all locations are separate from each other and from the system's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from posixpath import dirname
from typing import TYPE_CHECKING, NamedTuple

from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.filesystem.path import is_inside, overlap, upwards

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.site.location import Location

# An apply changes owners and modes of everything below a location's directory: in one of
# these it would break the host.
_SYSTEM = ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/sbin", "/sys")
_PROGRAMS = ("/usr/bin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/sbin")
_VAR = frozenset(
    f"/var/{name}"
    for name in ("backups", "cache", "lib", "local", "lock", "log", "mail", "run", "spool", "tmp")
)

_SYNC_KEYS = ("source", "prune", "keep", "precompress")


class _LocationAt(NamedTuple):
    loc: Loc
    site: str
    prefix: str
    location: Location


def check_directories(config: Config) -> Iterator[Violation]:
    """Each directory holds the files of one location, and of nothing else."""
    locations = [
        _LocationAt(("sites", name, "locations", prefix, "dir"), name, prefix, location)
        for name, site in config.sites.items()
        for prefix, location in site.locations.items()
    ]
    sensitive = [path for path, entry in config.paths.items() if entry.sensitive]
    for one in locations:
        yield from _check_system(config, one)
        yield from _check_sensitive(sensitive, one)
    yield from _check_sources(config)
    for later, earlier in _overlapping([one.location.dir for one in locations]):
        yield from _check_pair(locations[later], locations[earlier])


def _overlapping(paths: list[str]) -> list[tuple[int, int]]:
    """The indexes of each two that contain one another, the later one first, in that order."""
    indexes = defaultdict(list)
    for index, path in enumerate(paths):
        indexes[path].append(index)
    pairs = {
        (max(one, other), min(one, other))
        for one, path in enumerate(paths)
        for above in upwards(path)
        for other in indexes.get(above, ())
        if one != other
    }
    return sorted(pairs)


def _check_system(config: Config, at: _LocationAt) -> Iterator[Violation]:
    path = at.location.dir
    if is_system_directory(path):
        hint = "use a separate directory, such as /var/www/myapp"
        yield Violation(at.loc, f"{path} belongs to the system", hint)
    state = config.host.state_dir
    if overlap(path, state):
        yield Violation(at.loc, f"{path} overlaps reconcile's state directory {state}")


def _check_sources(config: Config) -> Iterator[Violation]:
    """What changes with every apply, and holds secrets, is published by none."""
    state = config.host.state_dir
    for loc, source in _sources(config):
        if is_inside(state, source):
            message = f"{source} contains reconcile's state directory {state}"
            yield Violation(loc, message, "use another source, or another host.state_dir")


def _sources(config: Config) -> Iterator[tuple[Loc, str]]:
    for name, site in config.sites.items():
        for prefix, location in site.locations.items():
            if location.source:
                yield ("sites", name, "locations", prefix, "source"), location.source
        if site.app and site.app.release:
            yield ("sites", name, "app", "release", "source"), site.app.release.source


def is_system_directory(path: str) -> bool:
    """Whether it is too broad, or belongs to the host's programs and their data."""
    is_system = any(is_inside(path, top) for top in _SYSTEM + _PROGRAMS)
    return dirname(path) == "/" or path in _VAR or is_system


def _check_sensitive(sensitive: list[str], at: _LocationAt) -> Iterator[Violation]:
    for path in sensitive:
        if is_inside(path, at.location.dir):
            message = f"this sensitive file is inside the directory that {at.prefix} serves"
            yield Violation(("paths", path), message, "store it elsewhere")


def _check_pair(one: _LocationAt, other: _LocationAt) -> Iterator[Violation]:
    inner, outer = one.location.dir, other.location.dir
    if _compatible(one.location, other.location):
        return
    where = f"{other.prefix} of the site {other.site}" if one.site != other.site else other.prefix
    relation = "is" if inner == outer else "is inside" if is_inside(inner, outer) else "contains"
    yield Violation(
        one.loc,
        f"this directory {relation} the {other.location.role} directory of {where}",
        "use a separate directory for each location",
    )


def _compatible(one: Location, other: Location) -> bool:
    """Whether both may contain the same files: static, with one owner, and not pruned.

    An upload has one URL and is served in one way.
    """
    if one.role != other.role or one.effective_owner != other.effective_owner:
        return False
    if one.dir == other.dir:
        return all(getattr(one, key) == getattr(other, key) for key in _SYNC_KEYS)
    return one.role == "static" and not (one.prune or other.prune)
