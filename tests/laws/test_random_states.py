"""From any state to any other: one apply, the same end, and no upload lost."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from posixpath import dirname

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.engine.resource import Resource
from reconcile.filesystem.path import is_inside
from reconcile.resources.assets import Assets
from reconcile.resources.directory import Directory
from reconcile.resources.file import File
from reconcile.resources.symlink import Symlink
from reconcile.resources.tree import Tree
from tests.support.disk import picture
from tests.support.machine import Machine, in_box

pytestmark = pytest.mark.process

ROOTS = ("static", "static/css", "www", "www/static")
SOURCES = ("source", "source/css", "current/static")
FILES = ("static/app.js", "static/css/print.css", "www/index.html", "conf/a.conf")
LINKS = ("current", "www/latest")
RELEASES = ("rel1", "rel2")


@dataclass(frozen=True)
class State:
    """What a configuration declares; every name is relative to the machine's root."""

    copies: dict[str, str]
    files: dict[str, bytes]
    links: dict[str, str]
    serves_media: bool

    def resources(self, machine: Machine) -> list[Resource]:
        """Its resources, with the directories that they need."""
        names = {*self.copies, *self.files, *self.links}
        own = [machine.path(name) for name in names]
        folders = {above for name in names for above in _above(name)} | set(self.copies)
        return [
            *(Directory(path=machine.path(name), mode=0o755) for name in sorted(folders)),
            *(self._copy(machine, root, source, own) for root, source in self.copies.items()),
            *(
                File(path=machine.path(path), content=content, mode=0o644)
                for path, content in self.files.items()
            ),
            *(
                Symlink(path=machine.path(path), target=machine.path(f"../{target}"))
                for path, target in self.links.items()
            ),
            *(_media(machine) if self.serves_media else ()),
        ]

    def _copy(self, machine: Machine, root: str, source: str, own: list[str]) -> Assets:
        path = machine.path(root)
        below = tuple(name for name in own if is_inside(name, path) and name != path)
        at = machine.path(source) if source.startswith("current") else machine.path(f"../{source}")
        return Assets(path=path, source=at, user="root", group="root", prune=True, except_=below)


def _above(name: str) -> Iterator[str]:
    while name := dirname(name):
        yield name


def _media(machine: Machine) -> list[Resource]:
    path = machine.path("media")
    return [
        Directory(path=path, mode=0o755, protected=True),
        Tree(path=path, user="root", group="root", dirs=0o755, files=0o644, protected=True),
    ]


@st.composite
def states(draw: st.DrawFn) -> State:
    """A configuration without contradictions: one resource a path, links where they are used."""
    copies = draw(st.dictionaries(st.sampled_from(ROOTS), st.sampled_from(SOURCES)))
    files = draw(st.dictionaries(st.sampled_from(FILES), st.sampled_from((b"one", b"two"))))
    links = draw(st.dictionaries(st.sampled_from(LINKS), st.sampled_from(RELEASES)))
    if any(source.startswith("current") for source in copies.values()):
        links.setdefault("current", "rel1")
    return State(copies, files, links, draw(st.booleans()))


@contextmanager
def a_machine() -> Iterator[Machine]:
    """A machine in memory with two releases, a source, and an upload in its media directory."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        box = Path(folder)
        machine = in_box(box)
        for path in (
            "source/app.js",
            "source/css/site.css",
            "source/css/print.css",
            "rel1/static/app.js",
            "rel2/static/css/site.css",
        ):
            (box / path).parent.mkdir(parents=True, exist_ok=True)
            (box / path).write_text(f"content of {path}")
        (box / "root/media/2026").mkdir(parents=True)
        (box / "root/media/2026/photo.jpg").write_text("an upload")
        yield machine


@settings(max_examples=40)
@given(st.lists(states(), min_size=1, max_size=3))
def test_one_apply_is_enough_and_no_upload_is_lost(path: list[State]) -> None:
    with a_machine() as machine:
        for state in path:
            report = machine.apply(*state.resources(machine))

            assert report.result in ("applied", "no_changes"), (report.error, report.why)
            assert () == machine.plan(*state.resources(machine)).changes
            assert "an upload" == Path(machine.path("media/2026/photo.jpg")).read_text()


@settings(max_examples=40)
@given(st.lists(states(), min_size=2, max_size=3))
def test_the_way_to_a_state_leaves_no_trace(path: list[State]) -> None:
    ends = []
    for way in (path, path[-1:]):
        with a_machine() as machine:
            for state in way:
                report = machine.apply(*state.resources(machine))
                assert report.result in ("applied", "no_changes"), (report.error, report.why)
            ends.append(picture(Path(machine.root), mtimes=False))
            ends[-1] = {
                name: tuple(str(fact).replace(machine.root, "ROOT") for fact in facts)
                for name, facts in ends[-1].items()
            }

    assert ends[1] == ends[0]
