"""Making the releases of a plan, before it is planned exactly and applied."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from reconcile.config.context import CompileContext
from reconcile.config.site.release_id import ID_LENGTH
from reconcile.engine.apply_report import Event
from reconcile.engine.data_protection import protected_folders
from reconcile.engine.protection_record import protected_on
from reconcile.errors import ReconcileError
from reconcile.filesystem.place_guard import PlaceGuard
from reconcile.resources.release import Release
from reconcile.resources.release_build import build_release
from reconcile.verify.started_release import check_started
from reconcile.workspace.release_sources import record_release_source

if TYPE_CHECKING:
    from reconcile.engine.apply_report import EventHandler
    from reconcile.engine.model import Change, Check, Plan
    from reconcile.engine.resource import Resource
    from reconcile.engine.step_output import StepOutput
    from reconcile.system import Host
    from reconcile.verify.failures_before import FailuresBefore
    from reconcile.workspace import Workspace

_ID = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}")
MIN_KEPT = 2
"""The release in use, and the last good one."""


def releases_to_build(plan: Plan, host: Host) -> tuple[Release, ...]:
    """The releases that the plan brings into use and that have no folder yet."""
    wanted = (change.after for change in plan.changes)
    return tuple(one for one in wanted if isinstance(one, Release) and not one.is_built(host))


def build_releases(
    releases: tuple[Release, ...],
    workspace: Workspace,
    on_event: EventHandler,
    on_step: Callable[[StepOutput], None],
) -> None:
    """Make their folders; nobody uses them yet. Errors: StepFailed, HostError."""
    host = workspace.host
    recorded = protected_on(host, workspace.ledger.all_rows)
    host.guard = PlaceGuard(protected_folders(workspace.desired, recorded))

    def on_note(note: str) -> None:
        """Report what is being done."""
        on_event(Event("preparing", message=note))

    for release in releases:
        # Those that failed lately.
        _prune(host, release)
        record = _made_record(release)
        _write_names(host, record, {*_read_names(host, record), release.id or ""})
        build_release(release, host, on_note, on_step)
        listing = host.files.release_listing(release.source, release.excluded)
        record_release_source(host, release.site, listing, release.content)


def made_with_releases(
    approved: Plan, exact: Plan, releases: tuple[Release, ...]
) -> tuple[Change, ...]:
    """The `approved` changes that were made with `releases`: their folders, and those above."""
    left = {change.ref for change in exact.changes}
    made = {release.ref for release in releases}
    return tuple(
        change
        for change in approved.changes
        if change.ref not in left
        and (change.ref in made or (change.action == "create" and change.ref.kind == "directory"))
    )


def verify_started(
    workspace: Workspace, before: FailuresBefore, switch: Resource, *, probes: bool
) -> tuple[Check, ...]:
    """The checks of a release that was started beside the one in use."""
    if not isinstance(switch, Release):
        return ()
    context = CompileContext(workspace.config, workspace.facts)
    site = context.sites[switch.site].declared
    return check_started(switch, site, workspace.host, before, probes=probes)


def prune_releases(workspace: Workspace) -> None:
    """Remove the oldest releases beyond `keep`; never the one in use, nor the one before it."""
    for release in _declared(workspace):
        with suppress(ReconcileError):
            _prune(workspace.host, release)


def _declared(workspace: Workspace) -> Iterator[Release]:
    for item in workspace.desired.values():
        if isinstance(item.resource, Release):
            yield item.resource


def _prune(host: Host, release: Release) -> None:
    observed = release.observe(host)
    in_use = observed.id if observed else None
    used = _read_names(host, _used_record(release))
    before = [name for name in used if name != in_use]
    kept = [*filter(None, [in_use]), *before][: max(release.keep, MIN_KEPT)]
    there = host.files.release_names(release.folder)
    # What others have put there is no release of ours, whatever it is called.
    made = _made(host, release, used).intersection(there)
    for name in made.difference(kept):
        # What cannot be removed now is removed by a later apply.
        with suppress(ReconcileError):
            host.files.remove_release(f"{release.folder}/{name}")
            host.state.remove(f"releases/{release.site}-{name}.log")
            made.remove(name)
    _write_names(host, _used_record(release), kept)
    _write_names(host, _made_record(release), made)


def _made(host: Host, release: Release, used: Iterable[str]) -> set[str]:
    if host.state.read(_made_record(release)) is None:
        # An earlier version kept no record of them. Those of other tools have other names.
        return {name for name in used if _ID.fullmatch(name)}
    return {*_read_names(host, _made_record(release))}


def _read_names(host: Host, record: str) -> list[str]:
    return (host.state.read(record) or b"").decode("utf-8", "replace").split()


def _write_names(host: Host, record: str, names: Iterable[str]) -> None:
    host.state.write(record, "\n".join(names).encode())


def _used_record(release: Release) -> str:
    """The record of the releases that were in use, the last one first."""
    return f"releases/{release.site}.used"


def _made_record(release: Release) -> str:
    """The record of those whose folders were made."""
    return f"releases/{release.site}.made"
