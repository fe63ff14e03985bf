"""A change of owner and mode closes a file to nobody who may read it before and after."""

from __future__ import annotations

import os
import stat
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from reconcile.filesystem.attributes import set_owner_and_mode

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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
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
