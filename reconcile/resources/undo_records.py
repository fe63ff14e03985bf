"""Every undo record that a journal may hold: importing this module registers them all."""

from __future__ import annotations

from reconcile.filesystem import file_undo, permissions_undo
from reconcile.nginx.running import reload, upstream_switch
from reconcile.system.services import service_undo

UNDO_MODULES = (file_undo, permissions_undo, service_undo, reload, upstream_switch)
"""Each registers its records with `undo_record` when it is imported."""
