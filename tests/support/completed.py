"""A desired resource with no field left open, as a plan hands it to `apply`."""

from __future__ import annotations

from typing import TypeVar

from reconcile.engine.resource import Owner, Resource
from reconcile.system import Host

Kind = TypeVar("Kind", bound=Resource)


def completed(wanted: Kind, before: Kind | None, host: Host) -> Kind:
    """Filled from what exists or, where nothing does, with the defaults of a new one."""
    me = host.accounts.current
    if before is None:
        return wanted.planned(host).as_created(Owner(me.name, host.accounts.group_name(me.gid)))
    return wanted.with_defaults_from(before)
