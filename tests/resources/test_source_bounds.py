"""What others can make in a source, or in its copy, is bounded; the rest is published."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconcile.filesystem.sync import tree_comparison
from reconcile.filesystem.walk import DEEPEST
from reconcile.resources.assets import Assets
from reconcile.system import Host
from tests.support.completed import completed
from tests.support.image import Image
from tests.support.needs_root import needs_root
from tests.support.nested import nested

pytestmark = [
    pytest.mark.process,
    needs_root("makes files of other users"),
]


@pytest.fixture
def source(site: Path) -> Path:
    source = site / "source"
    source.mkdir()
    (source / "a.css").write_text("a")
    (site / "copy").mkdir()
    return source


def assets(source: Path, **more: object) -> Assets:
    copy = source.parent / "copy"
    fields = {"path": str(copy), "source": str(source), "user": "root", "group": "root", **more}
    return Assets(**fields)


def applied(wanted: Assets, host: Host) -> Assets:
    before = wanted.observe(host)
    assert before is not None
    completed(wanted, before, host).apply(host, before)
    after = wanted.observe(host)
    assert after is not None
    return after


def levels_below(folder: Path) -> int:
    count = 0
    while (folder / "d").is_dir():
        folder, count = folder / "d", count + 1
    return count


@pytest.mark.parametrize("levels", [DEEPEST, DEEPEST + 1, 2_000])
def test_a_deep_source_is_copied_down_to_the_deepest_level(
    levels: int, source: Path, host: Host
) -> None:
    with nested(source, levels, uid=0):
        after = applied(assets(source), host)

    assert DEEPEST == levels_below(source.parent / "copy")
    assert "a" == (source.parent / "copy/a.css").read_text()
    assert () == after.differences
    assert (levels > DEEPEST) == any("levels deep" in note for note in after.notes)


@pytest.mark.parametrize("prune", [False, True])
def test_a_deep_copy_is_left_alone_where_it_is_deeper(
    prune: bool, source: Path, host: Host
) -> None:
    copy = source.parent / "copy"
    with nested(copy, 2_000, uid=0):
        after = applied(assets(source, prune=prune), host)

        assert "a" == (copy / "a.css").read_text()
        assert (copy / "d").is_dir()
    assert () == after.differences
    assert any("1 directory in" in note and "levels deep" in note for note in after.notes)


@pytest.fixture
def mounted(site: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a filesystem with a file in it, until the end of the test."""
    points: list[Path] = []

    def mount(name: str) -> Path:
        point = site / name
        point.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", point], check=True)
        points.append(point)
        (point / "theirs.css").write_text("theirs")
        return point

    yield mount
    for point in points:
        subprocess.run(["umount", point], check=True)


@pytest.mark.parametrize("place", ["source/m", "copy/m", "source/d/m", "copy/d/m"])
@pytest.mark.parametrize("prune", [False, True])
def test_another_mount_is_reported_and_not_entered(
    prune: bool, place: str, source: Path, host: Host, mounted: Callable[[str], Path]
) -> None:
    theirs = mounted(place) / "theirs.css"

    after = applied(assets(source, prune=prune), host)

    assert "theirs" == theirs.read_text()
    assert ["a.css"] == [path.name for path in source.parent.glob("copy/*.css")]
    assert () == after.differences
    assert any("1 directory in" in note and "another mount" in note for note in after.notes)
    assert not (source.parent / "copy/m/theirs.css").exists() or place == "copy/m"


def too_many_differences(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tree_comparison, "MOST_DIFFERENCES", 2)


def too_long_paths(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tree_comparison, "MOST_DIFFERENCES_BYTES", 4)


def too_large_a_directory(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tree_comparison, "MOST_DIRECTORY_BYTES", 1)


limits = pytest.mark.parametrize(
    "limit", [too_many_differences, too_long_paths, too_large_a_directory]
)
Limit = Callable[[pytest.MonkeyPatch], None]


@limits
@pytest.mark.parametrize("exists", [False, True], ids=["first copy", "later"])
def test_a_source_of_too_many_files_is_reported_and_the_rest_is_applied(
    limit: Limit, exists: bool, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = Image(public)
    if exists:
        assert "applied" == image.apply(image.declare(shop=8001))
    for folder in ("many/files", "more/files"):
        (image.root / "app" / folder).mkdir(parents=True)
        (image.root / "app" / folder / "new.css").write_text("new")
    limit(monkeypatch)

    report = image.report(image.declare(f"  {image.root}/x.txt: {{content: other}}\n", shop=8001))

    assert ("applied", "") == (report.result, report.error)
    assert "other" == (image.root / "x.txt").read_text()
    assert not (image.root / "www/shop/many").exists()
    [finding] = [one for one in report.plan.findings if one.rule == "source-too-large"]
    assert f"{image.root}/www/shop is left as it is" in finding.what
