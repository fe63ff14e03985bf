"""Names have to name something."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconcile.config.checks.fault import Fault
from reconcile.config.diagnostics import nearest
from reconcile.config.models import caches, owners
from reconcile.config.models.spec import Spec
from reconcile.config.nodes import Loc, Node, at
from reconcile.config.values.written import quoted


def check_references(spec: Spec, root: Node) -> Iterator[Fault]:
    """Each owner and cache policy that is named has to be declared or built in."""
    known_owners = _known(root, "owners", owners.BUILT_IN)
    known_policies = _known(root, "cache_policies", caches.BUILT_IN)
    for loc, name in _owner_names(spec):
        if name not in known_owners:
            yield Fault(
                loc, f"no owner is called {quoted(name)}", nearest(name, known_owners), certain=True
            )
    for loc, name in _policy_names(spec):
        if name not in known_policies:
            yield Fault(
                loc,
                f"no cache policy is called {quoted(name)}",
                nearest(name, known_policies),
                certain=True,
            )


def _known(root: Node, section: str, built_in: Mapping[str, object]) -> tuple[str, ...]:
    # The keys of the file itself: a faulty owner still has its name.
    declared = at(root, (section,)).keys if root.child(section) else {}
    return tuple(sorted({*built_in, *declared}))


def _owner_names(spec: Spec) -> Iterator[tuple[Loc, str]]:
    for path, entry in spec.paths.items():
        if isinstance(entry.owner, str):
            yield ("paths", path, "owner"), entry.owner
    for name, site in spec.sites.items():
        for prefix, location in site.locations.items():
            if isinstance(location.owner, str):
                yield ("sites", name, "locations", prefix, "owner"), location.owner


def _policy_names(spec: Spec) -> Iterator[tuple[Loc, str]]:
    for name, site in spec.sites.items():
        for prefix, location in site.locations.items():
            if location.cache is not None:
                yield ("sites", name, "locations", prefix, "cache"), location.cache
