"""What a rollback leaves for the pages that visitors have open."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from reconcile.engine.open_pages import OpenPages
from reconcile.filesystem.file_undo import MadeDirectory, Removed, Replaced
from reconcile.filesystem.undo import Undo
from reconcile.nginx.running.upstream_switch import UpstreamSwitched

ROOT = "/var/www/app/static"
HASHED, PLAIN = f"{ROOT}/app.3f9c1a2b.css", f"{ROOT}/app.css"
WROTE = f"sha256:{'ab' * 32}"


def new(path: str) -> Replaced:
    return Replaced(path, ".temp", WROTE)


def overwritten(path: str) -> Replaced:
    return Replaced(path, ".temp", WROTE, "/state/keep/old")


def switch(*, only_hashed: bool = False, root: str = ROOT) -> UpstreamSwitched:
    return UpstreamSwitched(
        "shop", "new", "old", "/srv/releases/old", "old.service", published=[[root, only_hashed]]
    )


def left(*applies: list[Undo], copies: tuple[str, ...] = (ROOT,)) -> list[str]:
    """The paths of what is not undone."""
    pages = OpenPages(applies, copies)
    undos = [undo for undos in applies for undo in undos]
    undone = pages.without_their_files(undos)
    return [undo.affects for undo in undos if undo not in undone]


def test_new_files_stay_where_a_switch_published_them() -> None:
    assert [HASHED, PLAIN] == left([new(HASHED), new(PLAIN), switch()])


def test_where_the_copy_is_pruned_those_with_a_hash_stay() -> None:
    applied = [new(HASHED), new(f"{HASHED}.gz"), new(PLAIN), switch(only_hashed=True)]

    assert [HASHED, f"{HASHED}.gz"] == left(applied)


def test_a_folder_that_was_made_for_them_stays() -> None:
    folder, empty = f"{ROOT}/css", f"{ROOT}/js"
    applied: list[Undo] = [MadeDirectory(folder), MadeDirectory(empty), new(f"{folder}/a.css")]

    assert [folder, f"{folder}/a.css"] == left([*applied, switch()])


@pytest.mark.parametrize(
    "undos",
    [
        pytest.param([new(HASHED)], id="no version was switched"),
        pytest.param([switch(), new(HASHED)], id="it was written after the switch"),
        pytest.param([overwritten(HASHED), switch()], id="it had another content before"),
        pytest.param([new("/etc/nginx/a.conf"), switch()], id="it is in no copy"),
        pytest.param([new(HASHED), switch(root="/elsewhere")], id="its copy is of another site"),
    ],
)
def test_a_file_goes_where(undos: list[Undo]) -> None:
    assert [] == left(undos)


def test_nothing_stays_in_a_copy_that_was_not_there_before() -> None:
    assert [] == left([new(HASHED), switch()], copies=())


def test_a_file_that_a_later_version_overwrote_stays_as_that_left_it() -> None:
    applies = [new(PLAIN), switch()], [switch(), overwritten(PLAIN)]

    assert [PLAIN, PLAIN] == left(*applies)


def test_a_file_whose_time_was_over_does_not_come_back() -> None:
    assert [] == left([new(HASHED), switch()], [Removed(HASHED, "/state/keep/old")])


def test_what_stays_is_noted() -> None:
    pages = OpenPages([[new(HASHED), new(PLAIN), switch()]], [ROOT])

    assert [f"2 new files left in {ROOT} for pages that visitors have open"] == [*pages.notes()]


def test_what_stays_is_recorded_as_managed() -> None:
    recorded: list[Any] = []
    files = SimpleNamespace(record_written=lambda *given: recorded.append(given))
    applied: list[Undo] = [MadeDirectory(f"{ROOT}/css"), new(f"{ROOT}/css/a.css"), switch()]

    OpenPages([applied], [ROOT]).record(SimpleNamespace(files=files))  # type: ignore[arg-type]

    assert [(ROOT, {"css/a.css": WROTE}, ["css"])] == recorded
