"""The directories of all locations: apart from each other, and from what the system needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from reconcile.config.checks.fault import Fault
from reconcile.config.models.locations import Location
from reconcile.config.models.spec import Spec
from reconcile.config.nodes import Loc
from reconcile.config.tree import ancestors, inside

# Owners and modes of everything below a location's directory are changed: a location here
# would take the host apart.
_SYSTEM = ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/sbin", "/sys")
_PROGRAMS = ("/usr/bin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/sbin")
_SYSTEM_ITSELF = frozenset(
    f"/var/{name}"
    for name in ("backups", "cache", "lib", "local", "lock", "log", "mail", "run", "spool", "tmp")
)

_SHIPPING = ("source", "prune", "precompress")


class _Placed(NamedTuple):
    loc: Loc
    site: str
    prefix: str
    location: Location


def check_directories(spec: Spec) -> Iterator[Fault]:
    placed = [
        _Placed(("sites", name, "locations", prefix, "dir"), name, prefix, location)
        for name, site in spec.sites.items()
        for prefix, location in site.locations.items()
    ]
    for index, one in enumerate(placed):
        yield from _check_system(spec, one)
        yield from _check_sensitive(spec, one)
        for other in placed[:index]:
            yield from _check_pair(one, other)


def _check_system(spec: Spec, placed: _Placed) -> Iterator[Fault]:
    path = placed.location.dir
    if (
        not ancestors(path)
        or path in _SYSTEM_ITSELF
        or any(inside(path, top) for top in _SYSTEM + _PROGRAMS)
    ):
        hint = "use a directory of its own, as in /var/www/myapp"
        yield Fault(placed.loc, f"{path} belongs to the system", hint)
    state = spec.host.state_dir
    if inside(path, state) or inside(state, path):
        yield Fault(placed.loc, f"{path} and reconcile's own {state} lie in each other")


def _check_sensitive(spec: Spec, placed: _Placed) -> Iterator[Fault]:
    for path, entry in spec.paths.items():
        if entry.sensitive and inside(path, placed.location.dir):
            message = f"this sensitive file lies in what {placed.prefix} serves"
            yield Fault(("paths", path), message, "keep it elsewhere")


def _check_pair(one: _Placed, other: _Placed) -> Iterator[Fault]:
    inner, outer = one.location.dir, other.location.dir
    if not (inside(inner, outer) or inside(outer, inner)) or _agree(one.location, other.location):
        return
    where = f"{other.prefix} of the site {other.site}" if one.site != other.site else other.prefix
    relation = "is" if inner == outer else "lies in" if inside(inner, outer) else "holds"
    yield Fault(
        one.loc,
        f"this directory {relation} the {other.location.role} directory of {where}",
        "give each location a directory of its own",
    )


def _agree(one: Location, other: Location) -> bool:
    """Whether both may have the same files: shipped ones, with one owner, not removed as strange.

    What users upload has one URL and one way of being served.
    """
    if one.role != other.role or one.owner_or_default != other.owner_or_default:
        return False
    if one.dir == other.dir:
        return all(getattr(one, key) == getattr(other, key) for key in _SHIPPING)
    return one.role == "static" and not (one.prune or other.prune)
