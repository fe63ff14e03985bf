"""Containers: what they save is what some site serves."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.config.checks.fault import Fault
from reconcile.config.models.spec import Spec


def check_containers(spec: Spec) -> Iterator[Fault]:
    saved = {
        prefix
        for site in spec.sites.values()
        for prefix, location in site.locations.items()
        if location.role != "static"
    }
    for index, container in enumerate(spec.containers):
        for prefix in container.mounts:
            if prefix not in saved:
                yield Fault(
                    ("containers", index, "mounts", prefix),
                    f"no site has a media or private location {prefix}",
                    f"known here: {', '.join(sorted(saved))}" if saved else "",
                )
