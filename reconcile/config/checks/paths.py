"""The `paths` section: each entry is one thing, and lies where it can lie."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.config.checks.fault import Fault
from reconcile.config.models.paths import HostPath
from reconcile.config.models.spec import Spec
from reconcile.config.nodes import Loc
from reconcile.config.tree import ancestors


def check_paths(spec: Spec) -> Iterator[Fault]:
    for path, entry in spec.paths.items():
        yield from _check_entry(("paths", path), entry)
        yield from _check_way(spec, ("paths", path), path)
    for name, site in spec.sites.items():
        for prefix, location in site.locations.items():
            loc = ("sites", name, "locations", prefix, "dir")
            yield from _check_way(spec, loc, location.dir)
            yield from _check_end(spec, loc, location.dir)


def _check_entry(loc: Loc, entry: HostPath) -> Iterator[Fault]:
    if entry == HostPath():
        yield Fault(loc, "this path says nothing", "give it an owner, a source or a link")
    if entry.link is not None:
        for key in ("owner", "source", "content", "sensitive"):
            if getattr(entry, key):
                hint = f"leave out {key} or link"
                yield Fault((*loc, key), f"a link has no {key}", hint, certain=True)
    elif entry.sensitive and entry.form != "file":
        yield Fault((*loc, "sensitive"), "only a file with a source can be sensitive")
    if entry.source is not None and entry.content is not None:
        yield Fault((*loc, "content"), "source says what the file holds", "keep one of the two")
    if loc == ("paths", "/"):
        yield Fault(loc, "the root directory is not managed", "name a path below it")


def _check_way(spec: Spec, loc: Loc, path: str) -> Iterator[Fault]:
    for above in ancestors(path):
        entry = spec.paths.get(above)
        if entry and entry.form == "file":
            yield Fault(loc, f"{path} lies below {above}, which `paths` makes a file")
        if entry and entry.form == "symlink":
            yield Fault(
                loc, f"{path} leads through the link {above}", f"name it below {entry.link}"
            )


def _check_end(spec: Spec, loc: Loc, path: str) -> Iterator[Fault]:
    entry = spec.paths.get(path)
    if entry and entry.form != "directory":
        yield Fault(loc, f"`paths` makes {path} a {entry.form}")
