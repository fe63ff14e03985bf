"""Declarations of one place by two names contradict each other, or are the same."""

from __future__ import annotations

from pathlib import Path

from reconcile.engine.model import Change, Declared, Plan, Position
from reconcile.engine.resource import Resource
from reconcile.engine.shared_places import with_place_conflicts
from reconcile.resources.directory import Directory
from reconcile.resources.file import File
from reconcile.resources.tree import Tree
from reconcile.system import Host, HostSettings


def conflicts(tmp_path: Path, *declared: Resource, are_changed: bool = True) -> list[str]:
    """The contradictions of a plan that creates all of `declared`."""
    desired = {
        one.ref: Declared(one, positions=(Position("reconcile.yaml", line),))
        for line, one in enumerate(declared, 1)
    }
    changes = tuple(Change(one.ref, None, one) for one in declared) if are_changed else ()
    plan = Plan("web1", changes, "", desired=desired)
    found = with_place_conflicts(plan, Host(HostSettings(state_dir=str(tmp_path))).files).conflicts
    lines = [[at.line for at in one.positions] for one in found]
    return [
        f"{one.ref} {one.contradiction}: {', '.join(one.values)} {at}"
        for one, at in zip(found, lines, strict=True)
    ]


def linked(tmp_path: Path) -> tuple[str, str]:
    """A directory, and a link to it."""
    (tmp_path / "media").mkdir()
    (tmp_path / "app").symlink_to("media")
    return f"{tmp_path}/media", f"{tmp_path}/app"


def test_two_owners_of_a_directory_are_a_conflict_with_both_names(tmp_path: Path) -> None:
    real, link = linked(tmp_path)
    one, other = Directory(path=real, user="daemon"), Directory(path=link, user="www-data")
    assert conflicts(tmp_path, one, other) == [
        f"directory:{real} is declared twice: user: daemon as {real}, www-data as {link} [1, 2]"
    ]


def test_so_are_two_policies_of_a_tree(tmp_path: Path) -> None:
    real, link = linked(tmp_path)
    assert len(conflicts(tmp_path, Tree(path=real, files=0o600), Tree(path=link))) == 1


def test_so_are_two_contents_of_a_file_and_what_is_not_there_yet(tmp_path: Path) -> None:
    real, link = linked(tmp_path)
    one, other = File(path=f"{real}/new/a", content=b"1"), File(path=f"{link}/new/a", content=b"2")
    assert len(conflicts(tmp_path, one, other)) == 1


def test_what_agrees_is_no_conflict(tmp_path: Path) -> None:
    real, link = linked(tmp_path)
    one = Directory(path=real, user="daemon", mode=0o755, enterable_by=("www-data",))
    assert not conflicts(tmp_path, one, Directory(path=link, user="daemon"))


def test_other_places_are_no_conflict(tmp_path: Path) -> None:
    real, link = linked(tmp_path)
    one = Directory(path=f"{real}/new", user="daemon")
    assert not conflicts(tmp_path, one, Directory(path=f"{link}/newer", user="www-data"))
    assert not conflicts(tmp_path, File(path=real, mode=0o600), File(path=link, mode=0o644))


def test_what_is_in_sync_is_no_conflict(tmp_path: Path) -> None:
    real, link = linked(tmp_path)
    one, other = Directory(path=real, user="daemon"), Directory(path=link, user="www-data")
    assert not conflicts(tmp_path, one, other, are_changed=False)
