"""A change of owner and mode closes a file to nobody who may read it before and after."""

from __future__ import annotations

import os
import stat
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from reconcile.filesystem.attributes import can_set_mode_first, mode_for_both, set_owner_and_mode
from reconcile.filesystem.inode import Ownership
from tests.support.needs_root import needs_root

WORKER, OTHER = 33, 1234


class Facts(NamedTuple):
    """Owner and mode of a file."""

    uid: int
    gid: int
    mode: int

    def can_read(self, uid: int) -> bool:
        """Whether a user reads it, whose only group has the same number."""
        bits = 6 if uid == self.uid else 3 if uid == self.gid else 0
        return bool(self.mode >> bits & 4)


KINDS = [
    Facts(uid, gid, mode)
    for uid, gid in ((0, 0), (0, WORKER), (WORKER, WORKER), (OTHER, OTHER))
    for mode in (0o600, 0o640, 0o644)
]


@pytest.fixture
def moments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Facts]:
    """What others find after each call."""
    found: list[Facts] = []

    def watched(call: Any) -> Any:
        def made(path: str, *arguments: int) -> None:
            call(path, *arguments)
            st = os.stat(path)
            found.append(Facts(st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)))

        return made

    monkeypatch.setattr(os, "chown", watched(os.chown))
    monkeypatch.setattr(os, "chmod", watched(os.chmod))
    return found


@needs_root("gives files away")
def test_whoever_reads_it_before_and_after_reads_it_in_between(
    tmp_path: Path, moments: list[Facts]
) -> None:
    path = tmp_path / "file"
    path.touch()
    closed, opened = [], []
    for before, after in product(KINDS, KINDS):
        os.chown(path, before.uid, before.gid)
        os.chmod(path, before.mode)
        moments.clear()
        with path.open() as file:
            set_owner_and_mode(file.fileno(), *after)
        assert after == (moments[-1] if moments else before)
        for between, user in product(moments, (WORKER, OTHER)):
            known = (before.can_read(user), after.can_read(user))
            closed += [(before, after)] if all(known) and not between.can_read(user) else []
            opened += [(before, after)] if not any(known) and between.can_read(user) else []

    assert ([], []) == (closed, opened)


def access(given: Ownership, uid: int, groups: tuple[int, ...]) -> int:
    bits = 6 if uid == given.uid else 3 if given.gid in groups else 0
    return given.mode >> bits & 7


MODES = (0o600, 0o640, 0o644, 0o666, 0o664, 0o700, 0o750, 0o755, 0o777, 0o707, 0o604, 0o440)
OWNED = [Ownership(uid, gid, mode) for uid, gid, mode in product((1, 2), (1, 2), MODES)]


@pytest.mark.parametrize(("uid", "groups"), [*product((1, 2, 3), ((), (1,), (2,), (1, 2)))])
def test_a_new_mode_is_set_first_only_where_it_opens_and_closes_nothing_by_that(
    uid: int, groups: tuple[int, ...]
) -> None:
    for before, after in product(OWNED, OWNED):
        if before[:2] == after[:2] or not can_set_mode_first(before, after):
            continue
        had, has = access(before, uid, groups), access(after, uid, groups)
        between = access(before._replace(mode=after.mode), uid, groups)
        assert (0, 0) == (between & ~(had | has), had & has & ~between), (before, after)


def test_a_private_file_is_opened_with_one_change_of_its_mode() -> None:
    assert 0o644 == mode_for_both(Ownership(1, 1, 0o600), Ownership(2, 2, 0o644))
