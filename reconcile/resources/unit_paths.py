"""Files and links of `paths` that systemd reads: when they are removed."""

from __future__ import annotations

from reconcile.resources.service import Service
from reconcile.resources.unit import Unit
from reconcile.system.services.unit_files import is_unit_file, unit_of

DROPIN_ORDER = Service.order - 1


def removal_rank_of(path: str, otherwise: int) -> int:
    """A drop-in goes before its service is restarted, a unit file after it is stopped."""
    if not is_unit_file(path):
        return otherwise
    return Unit.removal_order if path.endswith(f"/{unit_of(path)}") else DROPIN_ORDER
