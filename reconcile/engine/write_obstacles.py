"""Changes that the host's filesystems would refuse, known before anything has changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import cache, partial
from itertools import islice
from posixpath import basename, dirname, join
from typing import TYPE_CHECKING

from reconcile.engine.journal import RESERVE_BYTES
from reconcile.engine.model import Change, Plan
from reconcile.filesystem.free_space import FreeSpace, NewFile, NewFiles
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.write_obstacles import WriteObstacles

if TYPE_CHECKING:
    from reconcile.system.planned_host import PlannedHost

MOST_EXAMINED = 10_000
"""Paths of one change; beyond them the apply finds out, and is rolled back."""
RECORD_BYTES = 256
"""What the state directory takes at least for each file: how to undo it, and what was written."""
METADATA = frozenset({"user", "group", "mode", "enterable_by"})


def write_obstacles(plan: Plan, world: PlannedHost) -> tuple[HostError, ...]:
    """Why an apply of `plan` would fail at the first write; each cause once.

    `world` is the host as the plan will leave it: names lead where they will lead then.
    """
    causes: dict[str, HostError] = {}
    for error in _obstacles(plan, world):
        causes.setdefault(f"{error.why} {error.fix}", error)
    return tuple(causes.values())


def _obstacles(plan: Plan, world: PlannedHost) -> Iterator[HostError]:
    known = WriteObstacles()
    full = known.filling(world.state.path, RESERVE_BYTES)
    yield from _only(full)
    for change in plan.changes:
        for path in islice(_replaced(change), MOST_EXAMINED):
            yield from _only(known.replacing(_located(world, path, follow=False)))
        if change.subject.is_name_removed and _is_metadata_only(change):
            path = _located(world, change.ref.name, follow=True)
            yield from _only(known.setting_permissions(path))
        for path in islice(_repermitted_below(change, world), MOST_EXAMINED):
            yield from _only(known.setting_permissions(path))
    yield from _too_little_space(plan, world, is_recordable=full is None)


def _too_little_space(
    plan: Plan, world: PlannedHost, *, is_recordable: bool
) -> Iterator[HostError]:
    space, count = FreeSpace(), 0
    for change in plan.changes:
        new = change.after.new_files(world, change.before) if change.after else None
        if new is not None:
            directory = _located(world, new.directory, follow=True)
            added = space.add(new._replace(directory=directory))
            count += added if new.is_recorded else 0
    if count and is_recordable:
        space.add(NewFiles(world.state.path, [NewFile(RESERVE_BYTES + RECORD_BYTES * count)]))
    yield from space.obstacles()


def _located(world: PlannedHost, path: str, *, follow: bool) -> str:
    # What is no safe way there is refused elsewhere, with its own reason.
    with suppress(HostError):
        return world.files.locate(path, follow=follow)
    return path


def _only(error: HostError | None) -> Iterator[HostError]:
    if error is not None:
        yield error


def _replaced(change: Change) -> Iterator[str]:
    if change.subject.is_name_removed and not _is_metadata_only(change):
        yield change.ref.name
    yield from (change.before or change.subject).replaced_paths()


def _repermitted_below(change: Change, world: PlannedHost) -> Iterator[str]:
    """Each where it is; none is a link, so that their folders alone have to be located."""
    locate = cache(partial(_located, world, follow=True))
    for path in (change.before or change.subject).repermitted_paths():
        yield join(locate(dirname(path)), basename(path))


def _is_metadata_only(change: Change) -> bool:
    is_update = change.before is not None and change.after is not None
    return is_update and all(one.name in METADATA for one in change.fields)
