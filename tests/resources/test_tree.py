"""Owners and modes of everything below a directory."""

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconcile.engine.ledger import managed_digests
from reconcile.filesystem import scan, scan_result, walk
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.openat import open_subdirectory
from reconcile.filesystem.walk import DEEPEST
from reconcile.resources.tree import Tree
from reconcile.system import Host
from tests.support.completed import completed
from tests.support.disk import picture
from tests.support.nested import nested
from tests.support.recorder import recording

pytestmark = pytest.mark.process

WEB, GAMES = 33, 5


def uploads(root: Path, **more: object) -> Tree:
    return Tree(path=str(root), user="www-data", group="www-data", **more)


def own(root: Path, uid: int = WEB) -> None:
    subprocess.run(["chown", "-hR", f"{uid}:{uid}", root], check=True)


def observed(tree: Tree, host: Host) -> Tree:
    found = tree.observe(host)
    assert found is not None
    return found


def fixed(tree: Tree, host: Host) -> Tree:
    before = observed(tree, host)
    completed(tree, before, host).apply(host, before)
    return observed(tree, host)


def lines(tree: Tree) -> list[str]:
    found: list[str] = tree.display()["deviations"]
    return found


@pytest.fixture
def media(site: Path) -> Path:
    """A tree that is as it should be."""
    media = site / "media"
    (media / "2026/11").mkdir(parents=True)
    for name in ("a.jpg", "2026/b.jpg", "2026/11/c.jpg"):
        (media / name).write_bytes(b"photo")
    own(media)
    return media


def test_what_is_right_is_no_difference(host: Host, media: Path) -> None:
    found = observed(uploads(media), host)

    assert () == found.deviations
    assert 5 == found.total
    assert () == found.findings()


def test_a_plan_shows_owners_and_modes_with_counts_and_the_first_paths(
    host: Host, media: Path
) -> None:
    (media / "a.jpg").chmod(0o600)
    (media / "2026/b.jpg").chmod(0o600)
    (media / "2026/11").chmod(0o700)
    os.chown(media / "2026/11/c.jpg", WEB, 0)

    assert [
        "mode 0700 -> 0755: 1 directory (2026/11)",
        "owner www-data:root -> www-data:www-data: 1 file (2026/11/c.jpg)",
        "mode 0600 -> 0644: 2 files (2026/b.jpg, a.jpg)",
    ] == lines(observed(uploads(media), host))


def test_deviations_are_fixed_and_contents_are_untouched(host: Host, media: Path) -> None:
    (media / "a.jpg").chmod(0o4777)
    os.chown(media / "2026/11", GAMES, GAMES)
    before = {path: facts[3:] for path, facts in picture(media).items()}

    assert () == fixed(uploads(media), host).deviations
    assert before == {path: facts[3:] for path, facts in picture(media).items()}
    assert 0o644 == stat.S_IMODE((media / "a.jpg").stat().st_mode)


def test_the_root_itself_is_the_directorys_affair(host: Host, media: Path) -> None:
    media.chmod(0o700)

    assert () == observed(uploads(media), host).deviations


def test_an_absent_root_has_nothing_that_deviates(host: Host, site: Path) -> None:
    assert () == observed(uploads(site / "nothing"), host).deviations


def test_symlinks_are_left_alone(host: Host, media: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    (media / "link").symlink_to(outside)

    assert () == fixed(uploads(media), host).deviations
    assert 0 == outside.stat().st_uid


def test_excluded_paths_are_somebody_elses(host: Host, media: Path) -> None:
    (media / "2026").chmod(0o700)
    (media / "2026/b.jpg").chmod(0o600)

    found = observed(uploads(media, except_=(f"{media}/2026",)), host)

    assert () == found.deviations


def test_after_a_recursive_chown_to_root_all_is_given_back(host: Host, media: Path) -> None:
    own(media, 0)
    tree = uploads(media)
    before = observed(tree, host)
    # As in an apply: the directory is put right first, and then belongs to the web user.
    os.chown(media, WEB, WEB)

    completed(tree, before, host).apply(host, before)

    assert () == observed(tree, host).deviations
    assert {WEB} == {path.stat().st_uid for path in media.rglob("*")}


class TestWhatIsNotTouched:
    def test_roots_file_where_the_web_user_may_write_is_a_note(
        self, host: Host, media: Path
    ) -> None:
        (media / "roots.jpg").write_text("perhaps a link")

        found = fixed(uploads(media), host)

        assert 0 == (media / "roots.jpg").stat().st_uid
        assert () == found.deviations
        (finding,) = found.findings()
        assert "note" == finding.severity
        assert finding.what.endswith("check before you change the owner by hand: roots.jpg")

    def test_a_file_with_a_second_name_is_a_note(self, host: Host, media: Path, site: Path) -> None:
        (media / "a.jpg").chmod(0o600)
        os.link(media / "a.jpg", site / "elsewhere")

        found = fixed(uploads(media), host)

        assert 0o600 == stat.S_IMODE((media / "a.jpg").stat().st_mode)
        assert "hard-linked" in found.notes[0]

    @pytest.mark.parametrize("options", [["-t", "tmpfs", "none"], ["--bind"]])
    def test_a_mount_is_a_note(
        self, host: Host, media: Path, tmp_path: Path, options: list[str]
    ) -> None:
        (tmp_path / "other").mkdir()
        (tmp_path / "other/file").touch(mode=0o600)
        source = [str(tmp_path / "other")] if options == ["--bind"] else []
        subprocess.run(["mount", *options, *source, media / "2026/11"], check=True)
        try:
            found = fixed(uploads(media), host)
        finally:
            subprocess.run(["umount", media / "2026/11"], check=True)

        assert (f"1 path in {media} was skipped: on another mount: 2026/11",) == found.notes
        assert 0 == (tmp_path / "other/file").stat().st_uid

    def test_a_file_that_is_a_mount_is_not_changed(
        self, host: Host, media: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "config").touch(mode=0o600)
        os.chown(tmp_path / "config", GAMES, GAMES)
        subprocess.run(["mount", "--bind", tmp_path / "config", media / "a.jpg"], check=True)
        try:
            fixed(uploads(media), host)
        finally:
            subprocess.run(["umount", media / "a.jpg"], check=True)

        assert GAMES == (tmp_path / "config").stat().st_uid


@contextmanager
def as_web_user() -> Iterator[None]:
    os.setegid(WEB)
    os.seteuid(WEB)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def test_an_unreadable_directory_is_unknown_never_fine(host: Host, public: Path) -> None:
    (public / "closed").mkdir(mode=0o700)

    with as_web_user(), pytest.raises(HostError) as refused:
        uploads(public).observe(host)

    assert f"1 path in {public} cannot be read: closed" == refused.value.what


@given(
    names=st.lists(
        st.binary(min_size=1, max_size=60).filter(
            lambda name: not set(name) & {0, 0x2F} and name not in (b".", b"..")
        ),
        min_size=1,
        max_size=8,
        unique=True,
    )
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_names_may_hold_any_byte(
    host: Host, tmp_path_factory: pytest.TempPathFactory, names: list[bytes]
) -> None:
    root = tmp_path_factory.mktemp("names")
    for name in names:
        with open(os.path.join(os.fsencode(root), name), "wb"):
            pass
    own(root)
    for name in names:
        os.chmod(os.path.join(os.fsencode(root), name), 0o600)

    before = observed(uploads(root), host)

    assert sorted(names) == [os.fsencode(found.path) for found in before.deviations]
    assert () == fixed(uploads(root), host).deviations


def test_every_level_down_to_the_deepest_is_walked_and_fixed(host: Host, site: Path) -> None:
    with nested(site, DEEPEST), few_descriptors():
        before = observed(uploads(site), host)

        assert (DEEPEST, ()) == (before.deviating, before.notes)
        assert () == fixed(uploads(site), host).deviations


def test_what_lies_deeper_is_reported_and_stops_nothing(host: Host, site: Path) -> None:
    with nested(site, 2_000), few_descriptors():
        after = fixed(uploads(site), host)

    [note] = after.notes
    assert (DEEPEST + 1, 0) == (after.total, after.deviating)
    assert note.startswith(f"1 directory in {site} was skipped with all below: more than 256")
    assert "d/d/d" in note
    assert len(note) < 600


@pytest.mark.parametrize("answer", [errno.EACCES, errno.ENOTCONN, errno.ENOTDIR, errno.ELOOP])
def test_a_mount_or_a_swap_that_the_web_user_makes_stops_nothing(
    host: Host, media: Path, monkeypatch: pytest.MonkeyPatch, answer: int
) -> None:
    def refuse(directory: int, name: str) -> int:
        if name == ".":
            return open_subdirectory(directory, name)
        raise OSError(answer, "refused")

    monkeypatch.setattr(walk, "open_subdirectory", refuse)
    monkeypatch.setattr(walk, "has_mounts_below", lambda root: True)
    (media / "theirs").mkdir()

    assert "theirs" not in str(observed(uploads(media), host).deviations)


@contextmanager
def few_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_maze_of_siblings_holds_few_descriptors(host: Host, site: Path) -> None:
    here = site / "m"
    here.mkdir()
    for _ in range(250):
        (here / "a").mkdir()
        (here / "b").mkdir()
        here = here / "b"
    for number in range(2_000):
        (site / f"wide{number}").mkdir()
    own(site)

    with few_descriptors():
        found = observed(uploads(site), host)

    assert 2_501 == found.total
    assert () == found.deviations


@pytest.fixture
def large(site: Path) -> Path:
    """Enough files for more than one process, in one wide and some small directories."""
    for folder in ("a", "b/c", "d/e/f"):
        (site / folder).mkdir(parents=True)
        for number in range(3_000):
            (site / folder / f"{number}.jpg").touch()
    own(site)
    return site


class TestOnAllCores:
    def test_every_file_is_counted_once(self, host: Host, large: Path) -> None:
        assert 9_006 == observed(uploads(large), host).total

    def test_a_huge_directory_is_divided_and_still_counted_once(
        self, host: Host, large: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(scan, "HUGE", 1)
        (large / "a/7.jpg").chmod(0o600)

        found = observed(uploads(large), host)

        assert 9_006 == found.total
        assert ["a/7.jpg"] == [one.path for one in found.deviations]

    def test_findings_of_all_processes_are_reported_in_one_order(
        self, host: Host, large: Path
    ) -> None:
        for path in ("a/1.jpg", "b/c/2.jpg", "d/e/f/3.jpg"):
            (large / path).chmod(0o600)

        found = observed(uploads(large), host)

        assert ["a/1.jpg", "b/c/2.jpg", "d/e/f/3.jpg"] == [one.path for one in found.deviations]


class TestMoreThanMemoryHolds:
    @pytest.fixture(autouse=True)
    def _little_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(scan_result, "MOST_KEPT", 100)

    def test_the_count_is_exact_and_the_rest_is_summed_up(self, host: Host, large: Path) -> None:
        subprocess.run(["chmod", "-R", "u=rwX,go=", large], check=True)

        found = observed(uploads(large), host)

        assert 9_006 == found.deviating
        assert 100 == len(found.deviations)
        assert "and 8906 more" == lines(found)[-1]

    def test_everything_is_fixed_all_the_same(self, host: Host, large: Path) -> None:
        subprocess.run(["chmod", "-R", "go=", large / "a"], check=True)

        assert () == fixed(uploads(large), host).deviations

    def test_a_new_upload_meanwhile_is_left_to_the_next_plan(self, host: Host, large: Path) -> None:
        subprocess.run(["chmod", "-R", "go=", large / "a"], check=True)
        planned = observed(uploads(large), host)
        planned.apply(host, planned)
        (large / "a/new.jpg").touch(0o600)

        left = planned.refresh(host, planned)

        assert left is not None
        assert ((), 0) == (left.deviations, left.deviating)

    def test_a_plan_is_bound_also_to_what_it_does_not_show(self, host: Host, large: Path) -> None:
        subprocess.run(["chmod", "-R", "go=", large / "a"], check=True)
        approved = observed(uploads(large), host).digests()

        (large / "a/2999.jpg").chmod(0o640)

        assert approved != observed(uploads(large), host).digests()


def test_memory_does_not_grow_with_the_files(host: Host, large: Path) -> None:
    tree = uploads(large)
    tree.observe(host)

    tracemalloc.start()
    try:
        tree.observe(host)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 1_000_000


def test_undo_of_a_fixed_tree_restores_it(host: Host, large: Path) -> None:
    subprocess.run(["chmod", "-R", "go=", large / "b"], check=True)
    before = picture(large)
    recorder = recording(host)

    fixed(uploads(large), host)
    recorder.take_back(host)

    assert before == picture(large)


class TestCause:
    def test_what_changed_on_the_host_is_drift(self, host: Host, media: Path) -> None:
        tree = uploads(media)
        written = managed_digests(tree, observed(tree, host))
        (media / "a.jpg").chmod(0o600)

        assert "drift" == tree.cause("deviations", observed(tree, host), written)

    def test_what_the_yaml_newly_asks_for_is_pending(self, host: Host, media: Path) -> None:
        written = managed_digests(uploads(media), observed(uploads(media), host))
        tree = uploads(media, files=0o640)

        assert "pending" == tree.cause("deviations", observed(tree, host), written)


class TestUploadsThatMoveWhileTheyAreFixed:
    @pytest.fixture
    def planned(self, host: Host, media: Path) -> Tree:
        """A plan for three uploads that only their owner may read."""
        for name in ("one.jpg", "two.jpg", "three.jpg"):
            (media / name).write_text("an upload")
        own(media)
        for name in ("one.jpg", "two.jpg", "three.jpg"):
            (media / name).chmod(0o600)
        return observed(uploads(media), host)

    def finish(self, planned: Tree, host: Host, media: Path) -> None:
        """Apply what was planned, which nothing that moved makes a failure."""
        planned.apply(host, planned)
        left = planned.refresh(host, planned)

        assert left is not None
        assert ((), 0) == (left.deviations, left.deviating)
        assert 0o644 == mode(media / "one.jpg")

    def test_a_new_upload_is_left_to_the_next_plan(
        self, planned: Tree, host: Host, media: Path
    ) -> None:
        (media / "new.jpg").write_text("uploaded meanwhile")
        own(media)
        (media / "new.jpg").chmod(0o600)

        self.finish(planned, host, media)

        assert 0o600 == mode(media / "new.jpg")
        assert 1 == observed(uploads(media), host).deviating

    @pytest.mark.parametrize("is_replaced", [False, True], ids=["removed", "replaced"])
    def test_an_upload_that_went_is_no_failure(
        self, planned: Tree, host: Host, media: Path, is_replaced: bool
    ) -> None:
        if is_replaced:
            (media / "another.jpg").write_text("another upload")
            (media / "another.jpg").chmod(0o600)
            (media / "another.jpg").rename(media / "two.jpg")
        else:
            (media / "two.jpg").unlink()

        self.finish(planned, host, media)

        assert not is_replaced or 0o600 == mode(media / "two.jpg")

    def test_an_upload_whose_mode_changed_again_keeps_that(
        self, planned: Tree, host: Host, media: Path
    ) -> None:
        (media / "two.jpg").chmod(0o640)

        self.finish(planned, host, media)

        assert 0o640 == mode(media / "two.jpg")

    def test_an_upload_that_is_still_written_is_fixed(
        self, planned: Tree, host: Host, media: Path
    ) -> None:
        with (media / "two.jpg").open("a") as file:
            file.write(", and more")

        self.finish(planned, host, media)

        assert 0o644 == mode(media / "two.jpg")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
