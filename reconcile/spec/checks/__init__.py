"""What no value can tell by itself: whether the parts of a file fit together."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.spec.checks.apps import check_apps
from reconcile.spec.checks.containers import check_containers
from reconcile.spec.checks.directories import check_directories
from reconcile.spec.checks.fault import Fault
from reconcile.spec.checks.listens import check_listens
from reconcile.spec.checks.locations import check_locations
from reconcile.spec.checks.paths import check_paths
from reconcile.spec.checks.policies import check_policies
from reconcile.spec.checks.references import check_references
from reconcile.spec.checks.sites import check_sites
from reconcile.spec.checks.tls import check_tls
from reconcile.spec.models.spec import Spec
from reconcile.spec.nodes import Node

__all__ = ["Fault", "check"]


def check(spec: Spec, root: Node) -> Iterator[Fault]:
    """Every contradiction in a file; `spec` may lack the parts that are faulty by themselves."""
    yield from check_references(spec, root)
    yield from check_policies(spec)
    yield from check_paths(spec)
    yield from check_sites(spec)
    yield from check_tls(spec)
    yield from check_listens(spec)
    yield from check_apps(spec)
    yield from check_locations(spec)
    yield from check_directories(spec)
    yield from check_containers(spec)
