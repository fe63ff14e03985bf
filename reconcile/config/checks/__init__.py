"""What no value can tell by itself: whether the parts of a file fit together."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.config.checks.apps import check_apps
from reconcile.config.checks.containers import check_containers
from reconcile.config.checks.directories import check_directories
from reconcile.config.checks.fault import Fault
from reconcile.config.checks.listens import check_listens
from reconcile.config.checks.locations import check_locations
from reconcile.config.checks.paths import check_paths
from reconcile.config.checks.policies import check_policies
from reconcile.config.checks.references import check_references
from reconcile.config.checks.sites import check_sites
from reconcile.config.checks.tls import check_tls
from reconcile.config.models.spec import Spec
from reconcile.config.nodes import Node

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
