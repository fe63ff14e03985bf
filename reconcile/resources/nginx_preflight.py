"""Whether nginx accepts the planned configuration, and gets its names and ports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from reconcile.errors import ReconcileError
from reconcile.filesystem.planned_entry import ABSENT, Entry
from reconcile.nginx.running.config_test import ConfigTest, NginxRejected
from reconcile.nginx.running.listen_check import check_listens
from reconcile.nginx.running.loaded_config import find_running
from reconcile.nginx.server_name_conflicts import name_conflicts
from reconcile.resources.rejected_config import with_places

if TYPE_CHECKING:
    from reconcile.engine.model import Change
    from reconcile.nginx.model.config_tree import ConfigTree
    from reconcile.nginx.running.discover import NginxInstallation


class ServerNameTaken(ReconcileError):
    """Another server already has the name, so nginx would ignore the planned one."""


def check_planned(
    nginx: NginxInstallation, changes: Sequence[Change], *, always: bool
) -> Sequence[str]:
    """Test what the changes make of the configuration; nothing is changed.

    Without a change that nginx reads, only where `always`. Returns a note where nginx could
    test only a copy.
    Errors: NginxRejected, ServerNameTaken, PortTaken.
    """
    host = nginx.host
    stage = ConfigTest(nginx, dict(planned_entries(changes)))
    if not stage.relevant_changes and not always:
        return ()
    try:
        validated = stage.validate()
    except NginxRejected as refused:
        raise with_places(host, refused, changes, stage.tree) from None
    _refuse_taken_names(validated.tree)
    if host.services.runs_services:
        now = find_running(nginx)
        check_listens(validated.tree, now.master_pid if now else 0)
    return validated.notes


def planned_entries(changes: Sequence[Change]) -> Iterator[tuple[str, Entry]]:
    """What the changes make of paths that nginx may read as configuration."""
    for change in changes:
        if change.after is None and change.subject.is_name_removed:
            yield change.ref.name, ABSENT
        elif change.after is not None and (entry := change.after.planned_entry()) is not None:
            yield change.ref.name, entry


def _refuse_taken_names(tree: ConfigTree) -> None:
    for conflict in name_conflicts(tree):
        if conflict.loser_is_managed:
            raise ServerNameTaken(
                what=f"another site already answers for {conflict.name}",
                why=str(conflict),
                fix=f"Remove that name (or the whole site) at {conflict.winner.place}, "
                "or take it out of reconcile.yaml. Nothing was changed.",
            )
