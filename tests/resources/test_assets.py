"""A source folder and its copy that Nginx serves."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from reconcile.engine.ledger import managed_digests
from reconcile.filesystem import parallel
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.sync import compare_file, copy_progress, tree_comparison
from reconcile.resources.assets import Assets
from reconcile.resources.directory import Directory
from reconcile.system import Host
from tests.support.completed import completed
from tests.support.disk import picture
from tests.support.recorder import recording

pytestmark = pytest.mark.process

WEB, GAMES = 33, 5


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    for path in ("index.html", "css/app.css", "js/app.js", "img/logo.png"):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(f"first {path}")
    return source


@pytest.fixture
def assets(source: Path, root: Path) -> Assets:
    return Assets(
        path=str(root), source=str(source), user="root", group="root", extra={"health.txt": b"ok\n"}
    )


def apply(assets: Assets, host: Host) -> None:
    before = assets.observe(host)
    completed(assets, before, host).apply(host, before)


def lines(assets: Assets, host: Host) -> list[str]:
    found = assets.observe(host)
    assert found is not None
    shown: list[str] = found.display()["differences"]
    return shown


def notes(assets: Assets, host: Host) -> tuple[str, ...]:
    found = assets.observe(host)
    assert found is not None
    assert list(found.notes) == [finding.what for finding in found.findings()]
    return found.notes


@pytest.fixture
def copied(assets: Assets, host: Host) -> Assets:
    """Copied once; nothing to do."""
    apply(assets, host)
    assert [] == lines(assets, host)
    return assets


def test_the_copy_holds_what_the_source_holds_and_the_health_file(
    copied: Assets, root: Path, source: Path
) -> None:
    files = [path for path in source.rglob("*") if path.is_file()]

    for file in files:
        assert file.read_bytes() == (root / file.relative_to(source)).read_bytes()
    assert b"ok\n" == (root / "health.txt").read_bytes()
    assert 5 == sum(path.is_file() for path in root.rglob("*"))


def test_a_health_file_of_the_source_wins_over_the_generated_one(
    assets: Assets, host: Host, root: Path, source: Path
) -> None:
    (source / "health.txt").write_text("theirs")

    apply(assets, host)

    assert "theirs" == (root / "health.txt").read_text()


@dataclass(frozen=True)
class Drift:
    done: Callable[[Path], object]
    reported: str


DRIFTS = {
    "a file deleted": Drift(
        lambda root: (root / "css/app.css").unlink(), "css/app.css: missing (17 bytes)"
    ),
    "a file changed": Drift(
        lambda root: (root / "css/app.css").write_text("x"),
        "css/app.css: different content (1 -> 17 bytes)",
    ),
    "a directory's mode": Drift(lambda root: (root / "css").chmod(0o700), "css: mode 0700 -> 0755"),
    "an owner": Drift(
        lambda root: os.chown(root / "js/app.js", GAMES, 0),
        "js/app.js: owner games:root -> root:root",
    ),
    "the health file changed": Drift(
        lambda root: (root / "health.txt").write_text("no\n"),
        "health.txt: different content (3 bytes)",
    ),
}


@pytest.mark.parametrize("drift", DRIFTS.values(), ids=DRIFTS.keys())
def test_any_drift_is_reported_and_fixed(
    copied: Assets, host: Host, root: Path, drift: Drift
) -> None:
    before = picture(root, mtimes=False)
    drift.done(root)

    assert [drift.reported] == lines(copied, host)
    apply(copied, host)
    assert before == picture(root, mtimes=False)


def test_a_change_that_keeps_size_and_time_is_found(copied: Assets, host: Host, root: Path) -> None:
    file = root / "css/app.css"
    then = file.stat().st_mtime_ns
    file.write_text("FIRST css/app.css")
    os.utime(file, ns=(then, then))

    assert ["css/app.css: different content (17 bytes)"] == lines(copied, host)


def test_an_untouched_file_is_not_opened(
    copied: Assets, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(
        compare_file.FileComparison, "is_equal", lambda self, path, *_: opened.append(path)
    )

    assert [] == lines(copied, host)
    assert [] == opened


def test_a_file_is_not_opened_again_once_its_mode_was_put_right(
    copied: Assets, host: Host, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "css/app.css").chmod(0o600)
    apply(copied, host)
    opened: list[str] = []
    monkeypatch.setattr(
        compare_file.FileComparison, "is_equal", lambda self, path, *_: opened.append(path)
    )

    assert [] == lines(copied, host)
    assert [] == opened


def test_without_what_we_remember_contents_are_compared(
    copied: Assets, host: Host, root: Path
) -> None:
    host.state.remove("assets")
    assert [] == lines(copied, host)

    (root / "js/app.js").write_text("FIRST js/app.js")

    assert ["js/app.js: different content (15 bytes)"] == lines(copied, host)


class TestALongCopy:
    def test_shows_its_progress(
        self, assets: Assets, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(copy_progress, "QUIET_S", 0)
        monkeypatch.setattr(copy_progress, "EVERY_S", 0)
        reported: list[tuple[int, int]] = []
        host.on_copy_progress = lambda *how_far: reported.append(how_far)

        apply(assets, host)

        assert [(done, 5) for done in range(1, 6)] == sorted(set(reported) - {(0, 5)})

    def test_a_short_one_is_quiet(
        self, assets: Assets, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(copy_progress, "QUIET_S", 60)
        reported: list[tuple[int, int]] = []
        host.on_copy_progress = lambda *how_far: reported.append(how_far)

        apply(assets, host)

        assert [] == reported


class TestOnAllCores:
    @pytest.fixture
    def large(self, source: Path) -> Path:
        """Enough files for more than one process, in some small and one wide directory."""
        for number in range(6_000):
            folder = source / ("wide" if number % 2 else f"{number % 40}")
            folder.mkdir(exist_ok=True)
            (folder / f"{number}.txt").touch()
        return source

    @pytest.fixture(params=[1 << 20, 1], ids=["as it is", "as if every directory was huge"])
    def _huge(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tree_comparison, "HUGE", request.param)
        monkeypatch.setattr(parallel, "SERIAL_BELOW", 400)
        monkeypatch.setattr(parallel, "SHARES_PER_WORKER", 2)

    @pytest.mark.usefixtures("_huge")
    def test_each_finds_its_share_and_all_is_reported_in_one_order(
        self, assets: Assets, host: Host, root: Path, large: Path
    ) -> None:
        apply(assets, host)
        assert [] == lines(assets, host)
        (root / "wide/5.txt").write_text("x")
        (root / "wide/7.txt").unlink()
        (large / "8/8.txt").write_text("second")
        (root / "10/by-hand").touch()
        pruning = replace(assets, prune=True)

        assert [
            "8/8.txt: different content (0 -> 6 bytes)",
            "wide/5.txt: different content (1 -> 0 bytes)",
            "wide/7.txt: missing (0 bytes)",
            "10/by-hand: not in the source",
        ] == lines(pruning, host)
        found = pruning.observe(host)
        assert found is not None
        assert 6_005 == found.total

        apply(pruning, host)
        assert [] == lines(pruning, host)

    @pytest.mark.usefixtures("_huge")
    def test_an_error_of_another_reader_is_reported_like_ones_own(
        self, copied: Assets, host: Host, root: Path, large: Path
    ) -> None:
        apply(copied, host)
        for number in range(0, 40, 2):
            folder = root / f"{number}"
            file = next(folder.iterdir())
            file.unlink()
            file.mkdir()

        with pytest.raises(HostError, match="is in the way: the source has a file there"):
            copied.observe(host)


class TestWhatTheSourceDoesNotHave:
    def test_stays_and_is_noted(self, copied: Assets, host: Host, root: Path) -> None:
        (root / "by-hand.txt").touch()

        assert [] == lines(copied, host)
        assert (
            f"1 file in {root} is not in the source; kept because prune is off: by-hand.txt",
        ) == (notes(copied, host))

    def test_goes_where_pruning_is_asked_for(self, copied: Assets, host: Host, root: Path) -> None:
        (root / "old/deep").mkdir(parents=True)
        (root / "old/deep/file").touch()
        pruning = replace(copied, prune=True)

        assert 3 == len(lines(pruning, host))
        apply(pruning, host)
        assert not (root / "old").exists()

    def test_dotfiles_and_what_is_excluded_are_never_pruned(
        self, copied: Assets, host: Host, root: Path
    ) -> None:
        (root / ".well-known").mkdir()
        (root / "media/2026").mkdir(parents=True)
        (root / "media/2026/photo.jpg").write_text("a visitor's")
        (root / "left").mkdir()
        (root / "left/.keep").touch()
        before = picture(root)
        pruning = replace(copied, prune=True, except_=(f"{root}/media",))

        apply(pruning, host)

        assert before == picture(root)
        assert [] == lines(pruning, host)


class TestCompressedSiblings:
    def test_one_older_than_its_file_is_removed(
        self, copied: Assets, host: Host, root: Path
    ) -> None:
        (root / "css/app.css.gz").write_bytes(b"old")
        os.utime(root / "css/app.css.gz", (1, 1))

        assert ["css/app.css.gz: compressed from another version of its file"] == (
            lines(copied, host)
        )
        apply(copied, host)
        assert not (root / "css/app.css.gz").exists()

    def test_a_newer_one_stays(self, copied: Assets, host: Host, root: Path) -> None:
        (root / "css/app.css.br").write_bytes(b"new")

        assert [] == lines(copied, host)

    def test_one_goes_together_with_the_version_it_was_made_of(
        self, copied: Assets, host: Host, root: Path, source: Path
    ) -> None:
        (root / "css/app.css.br").write_bytes(b"of the first")
        (source / "css/app.css").write_text("second")

        apply(copied, host)

        assert not (root / "css/app.css.br").exists()
        assert "second" == (root / "css/app.css").read_text()

    def test_one_in_the_source_is_copied_like_any_file(
        self, copied: Assets, host: Host, root: Path, source: Path
    ) -> None:
        (source / "css/app.css.gz").write_bytes(b"by the build")
        (root / "css/app.css.gz").write_bytes(b"old")
        os.utime(root / "css/app.css.gz", (1, 1))

        apply(copied, host)

        assert b"by the build" == (root / "css/app.css.gz").read_bytes()


class TestWhatIsNotCopied:
    def test_a_symlink_out_of_the_source(
        self, assets: Assets, host: Host, root: Path, source: Path
    ) -> None:
        (source / "passwd").symlink_to("/etc/passwd")
        (source / "up").symlink_to("../state")

        apply(assets, host)

        assert not (root / "passwd").exists()
        assert not (root / "up").exists()
        assert notes(assets, host)[0].endswith("or behind another symlink: passwd, up")

    def test_but_one_inside_is_copied_as_its_target(
        self, assets: Assets, host: Host, root: Path, source: Path
    ) -> None:
        (source / "logo.png").symlink_to("img/logo.png")
        (source / "pictures").symlink_to(f"{source}/img")

        apply(assets, host)

        assert "first img/logo.png" == (root / "logo.png").read_text()
        assert not (root / "logo.png").is_symlink()
        assert "first img/logo.png" == (root / "pictures/logo.png").read_text()
        assert [] == lines(assets, host)

    def test_symlinks_in_a_circle_end(self, assets: Assets, host: Host, source: Path) -> None:
        (source / "img/back").symlink_to("../css")
        (source / "css/back").symlink_to("../img")
        (source / "self").symlink_to(".")
        (source / "a").symlink_to("b")
        (source / "b").symlink_to("a")

        apply(assets, host)

        assert [] == lines(assets, host)

    def test_dotfiles_and_special_files(
        self, assets: Assets, host: Host, root: Path, source: Path
    ) -> None:
        (source / ".git").mkdir()
        (source / ".git/config").touch()
        (source / ".env").write_text("secret")
        os.mkfifo(source / "pipe")

        apply(assets, host)

        assert {"index.html", "css", "js", "img", "health.txt"} == {p.name for p in root.iterdir()}
        assert "neither a file nor a directory" in notes(assets, host)[0]


def test_pages_come_after_what_they_are_made_of(
    assets: Assets, host: Host, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[str] = []
    rename = os.rename

    def watched(old: str, new: str, **fds: int) -> None:
        rename(old, new, **fds)
        named.append(new)

    monkeypatch.setattr(os, "rename", watched)
    apply(assets, host)

    order = [name for name in named if name in {path.name for path in root.rglob("*")}]
    assert ["health.txt", "logo.png", "app.css", "app.js", "index.html"] == order


def test_a_reader_never_sees_half_a_page(
    assets: Assets, host: Host, root: Path, source: Path
) -> None:
    versions = [letter * 2_000_000 for letter in "ab"]
    (source / "index.html").write_text(versions[0])
    apply(assets, host)
    reading, reported = os.pipe()
    child = os.fork()
    if child == 0:
        _read_until_closed(root / "index.html", reading, reported)
    os.close(reading)

    for turn in range(20):
        (source / "index.html").write_text(versions[turn % 2])
        apply(assets, host)

    os.close(reported)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _read_until_closed(page: Path, reading: int, reported: int) -> None:
    os.close(reported)
    os.set_blocking(reading, False)
    status = 1
    try:
        while True:
            text = page.read_text()
            assert 2_000_000 == len(text)
            assert 1 == len(set(text))
            try:
                if os.read(reading, 1) == b"":
                    break
            except BlockingIOError:
                continue
        status = 0
    finally:
        os._exit(status)


def test_a_large_file_is_streamed_whole(
    assets: Assets, host: Host, root: Path, source: Path
) -> None:
    data = os.urandom(9 << 20)
    (source / "video.mp4").write_bytes(data)

    apply(assets, host)

    assert data == (root / "video.mp4").read_bytes()
    assert [] == lines(assets, host)


@pytest.mark.parametrize("count", [3, 40])
def test_owners_and_modes_are_exact_whatever_the_source_and_the_umask(
    assets: Assets, host: Host, root: Path, source: Path, count: int
) -> None:
    for number in range(count):
        (source / f"{number}.txt").touch(mode=0o600)
    wanted = replace(assets, group="www-data", files=0o640, dirs=0o2750)
    old = os.umask(0o077)
    try:
        apply(wanted, host)
    finally:
        os.umask(old)

    for path in root.rglob("*"):
        st = path.stat()
        mode = 0o2750 if path.is_dir() else 0o640
        assert (0, WEB, mode) == (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode))


def test_undo_of_many_files_restores_all(
    copied: Assets, host: Host, root: Path, source: Path
) -> None:
    for number in range(60):
        (source / f"{number}.js").write_text("new")
    (source / "css/app.css").write_text("second")
    (root / "old.txt").touch()
    before = picture(root)
    recorder = recording(host)

    apply(replace(copied, prune=True), host)
    assert before != picture(root)

    assert [] == recorder.take_back(host)
    assert before == picture(root)
    assert not any("reconcile" in name for name in os.listdir(root))


class TestRemoval:
    def test_takes_exactly_what_we_wrote(self, copied: Assets, host: Host, root: Path) -> None:
        (root / "by-hand.txt").write_text("kept")
        (root / "js/app.js").write_text("changed by hand")

        Assets.from_name(str(root)).delete(host)

        left = {str(path.relative_to(root)) for path in root.rglob("*")}
        assert {"by-hand.txt", "js", "js/app.js"} == left
        assert None is Assets.from_name(str(root)).observe(host)

    def test_leaves_what_was_there_before_us_though_it_is_equal(
        self, assets: Assets, host: Host, root: Path, source: Path
    ) -> None:
        (root / "index.html").write_text((source / "index.html").read_text())
        apply(assets, host)

        Assets.from_name(str(root)).delete(host)

        assert ["index.html"] == os.listdir(root)

    def test_can_be_undone(self, copied: Assets, host: Host, root: Path) -> None:
        before = picture(root)
        recorder = recording(host)

        Assets.from_name(str(root)).delete(host)
        assert [] == os.listdir(root)
        recorder.take_back(host)

        assert before == picture(root)
        assert None is not Assets.from_name(str(root)).observe(host), "it can be removed again"

    def test_a_directory_with_a_foreign_file_deep_inside_stays(
        self, copied: Assets, host: Host, root: Path
    ) -> None:
        leaving = frozenset({copied.ref})
        assert "" == _directory(root, host).why_not_removable(leaving)

        (root / "css/by-hand.css").touch()

        assert "it still contains css" == _directory(root, host).why_not_removable(leaving)


def _directory(path: Path, host: Host) -> Directory:
    found = Directory.from_name(str(path)).observe(host)
    assert found is not None
    return found


class TestCause:
    def test_a_changed_copy_is_drift(self, copied: Assets, host: Host, root: Path) -> None:
        assert "drift" == self._cause(copied, host, lambda: (root / "index.html").unlink())

    def test_a_changed_source_is_pending(self, copied: Assets, host: Host, source: Path) -> None:
        assert "pending" == self._cause(
            copied, host, lambda: (source / "index.html").write_text("second")
        )

    @staticmethod
    def _cause(assets: Assets, host: Host, act: Callable[[], object]) -> str:
        there = assets.observe(host)
        assert there is not None
        written = managed_digests(assets, there)
        act()
        return assets.cause("differences", assets.observe(host), written)


def test_a_source_that_does_not_exist_is_an_error_not_an_empty_site(
    assets: Assets, host: Host, source: Path
) -> None:
    missing = replace(assets, source=f"{source}/nothing", prune=True)

    with pytest.raises(HostError, match="does not exist"):
        missing.observe(host)


def test_a_directory_in_the_way_of_a_file_is_not_removed(
    assets: Assets, host: Host, root: Path
) -> None:
    (root / "index.html").mkdir()

    with pytest.raises(HostError, match="is in the way: the source has a file there"):
        assets.observe(host)
