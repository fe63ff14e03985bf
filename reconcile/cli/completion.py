"""What a shell completes: the sites and addresses of the configuration that the command reads."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from reconcile.errors import ReconcileError

if TYPE_CHECKING:
    from reconcile.workspace import Workspace


def complete_site(context: typer.Context, incomplete: str) -> list[str]:
    """The sites that begin with what was typed; none where the file cannot be read."""
    with suppress(ReconcileError, OSError):
        return _beginning(_workspace(context).outline.sites, incomplete)
    return []


def complete_address(context: typer.Context, incomplete: str) -> list[str]:
    """The addresses of resources that begin with what was typed."""
    with suppress(ReconcileError, OSError):
        return _beginning(map(str, _workspace(context).desired), incomplete)
    return []


def _workspace(context: typer.Context) -> Workspace:
    # Start-up: every command imports its options, and only a shell completes them.
    from reconcile.cli.workspaces import open_to_plan

    return open_to_plan(context.params.get("file"), context.params.get("var"))


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))
