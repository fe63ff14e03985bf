"""Taking back an owner and a mode, wherever a rollback was interrupted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconcile.filesystem.file_undo import CHANGED_SINCE, PermissionsChanged
from reconcile.filesystem.inode import Ownership
from reconcile.filesystem.undo import coalesced
from reconcile.system import Host

ROOT, WEB, OTHER = 0, 33, 34
OLD = Ownership(ROOT, ROOT, 0o4750)
GIVEN = Ownership(WEB, WEB, 0o640)
AGAIN = Ownership(WEB, WEB, 0o641)

pytestmark = pytest.mark.process  # needs root


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.touch()
    return path


def stand(file: Path, standing: Ownership) -> None:
    os.chown(file, standing.uid, standing.gid)
    file.chmod(standing.mode)


def undo(file: Path, *given: Ownership) -> PermissionsChanged:
    records = [PermissionsChanged(str(file), file.stat().st_ino, *OLD, {}, [one]) for one in given]
    [one] = coalesced(records)
    assert isinstance(one, PermissionsChanged)
    return one


@pytest.mark.parametrize(
    "now",
    [
        OLD,
        GIVEN,
        AGAIN,
        Ownership(WEB, WEB, 0o750),
        Ownership(WEB, WEB, 0o4750),
        Ownership(ROOT, ROOT, 0o640),
        Ownership(ROOT, ROOT, 0o641),
    ],
    ids="{0.uid}:{0.gid} {0.mode:o}".format,
)
def test_what_was_changed_fully_or_in_part_becomes_what_it_was(file: Path, now: Ownership) -> None:
    stand(file, now)

    assert "" == undo(file, GIVEN, AGAIN).undo(Host())
    assert OLD == Ownership.of(file.stat())


@pytest.mark.parametrize(
    "now",
    [
        Ownership(OTHER, WEB, 0o640),
        Ownership(WEB, OTHER, 0o640),
        Ownership(WEB, WEB, 0o600),
        Ownership(ROOT, WEB, 0o640),
    ],
    ids="{0.uid}:{0.gid} {0.mode:o}".format,
)
def test_what_somebody_else_gave_it_since_stays(file: Path, now: Ownership) -> None:
    stand(file, now)

    assert CHANGED_SINCE.format(file) == undo(file, GIVEN, AGAIN).undo(Host())
    assert now == Ownership.of(file.stat())


def test_a_record_of_an_older_version_is_undone_as_it_was_then(file: Path) -> None:
    stand(file, Ownership(OTHER, OTHER, 0o600))

    assert "" == PermissionsChanged(str(file), file.stat().st_ino, *OLD).undo(Host())
    assert OLD == Ownership.of(file.stat())


def test_undos_of_different_things_stay_apart_and_in_their_order(file: Path) -> None:
    other = PermissionsChanged("/elsewhere", 1, *OLD, {}, [GIVEN])
    first, again = (PermissionsChanged(str(file), 2, *OLD, {}, [one]) for one in (GIVEN, AGAIN))

    both = PermissionsChanged(str(file), 2, *OLD, {}, [GIVEN, AGAIN])
    assert [both, other] == [*coalesced([first, other, again])]
