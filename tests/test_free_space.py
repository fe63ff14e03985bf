"""What would fill a disk is known to the plan: nothing is begun, nothing rolled back."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from reconcile.errors import ReconcileError
from reconcile.filesystem.free_space import FreeSpace, NewFile, NewFiles
from reconcile.resources.release import Release
from reconcile.system import Host
from reconcile.workspace import Workspace
from reconcile.workspace.planning import plan_changes
from tests.support.image import Image

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts"),
]
MB = 1 << 20


def ran(*command: str | Path) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def disk(path: Path, options: str = "size=8m") -> Iterator[None]:
    """A filesystem in memory at `path`."""
    path.mkdir(parents=True, exist_ok=True)
    ran("mount", "-t", "tmpfs", "-o", options, "none", path)
    try:
        yield
    finally:
        ran("umount", path)


@contextmanager
def ext4(path: Path, *options: str) -> Iterator[None]:
    """A filesystem of 16 MB in a file beside `path`."""
    image = path.with_name(f"{path.name}.img")
    with image.open("wb") as file:
        file.truncate(16 * MB)
    ran(shutil.which("mke2fs") or "/sbin/mke2fs", "-q", "-F", "-t", "ext4", *options, image)
    path.mkdir(parents=True, exist_ok=True)
    ran("mount", "-o", "loop", image, path)
    try:
        yield
    finally:
        ran("umount", path)


@pytest.fixture
def mounts() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def image(public: Path) -> Image:
    return Image(public)


def put(image: Image, **sizes: int) -> None:
    for name, size in sizes.items():
        (image.root / "app" / f"{name}.bin").write_bytes(os.urandom(1024) * (size // 1024))


def refusal(image: Image, workspace: Workspace) -> ReconcileError:
    """Why plan and apply refuse alike; nothing was begun."""
    (planned,) = plan_changes(workspace).refusals
    with pytest.raises(ReconcileError) as refused:
        image.apply(workspace)
    assert planned.what in refused.value.what + refused.value.why
    assert not list((image.root / "state").glob("journal/*"))
    return planned


def test_a_copy_that_does_not_fit_refuses_its_plan(image: Image, mounts: ExitStack) -> None:
    mounts.enter_context(disk(image.root / "www"))
    put(image, one=5 * MB, two=4 * MB)

    error = refusal(image, image.declare(shop=8001))

    assert f"the filesystem at {image.root}/www is too full for this plan" == error.what
    assert (
        f"it has 8.0 MB left, and the plan writes 9.0 MB in {image.root}/www/shop;"
        " what it replaces or removes is kept for a rollback" == error.why
    )
    assert f"Free 1.0 MB or more (df -h {image.root}/www)" in error.fix
    assert [] == list((image.root / "www").iterdir())


def test_several_copies_on_one_filesystem_are_summed_up(image: Image, mounts: ExitStack) -> None:
    mounts.enter_context(disk(image.root / "www"))
    put(image, one=5 * MB)

    error = refusal(image, image.declare(shop=8001, blog=8002))

    assert f"5.0 MB in {image.root}/www/shop" in error.why
    assert f"5.0 MB in {image.root}/www/blog" in error.why


def test_two_names_of_one_filesystem_are_one(image: Image, mounts: ExitStack) -> None:
    mounts.enter_context(disk(image.root / "www"))
    (image.root / "www/shop").mkdir()
    (image.root / "www/blog").mkdir()
    ran("mount", "--bind", image.root / "www/blog", image.root / "www/blog")
    mounts.callback(ran, "umount", image.root / "www/blog")
    put(image, one=5 * MB)

    refusal(image, image.declare(shop=8001, blog=8002))


def test_each_filesystem_takes_its_own(image: Image, mounts: ExitStack) -> None:
    mounts.enter_context(disk(image.root / "www/shop"))
    mounts.enter_context(disk(image.root / "www/blog"))
    put(image, one=5 * MB)

    assert "applied" == image.apply(image.declare(shop=8001, blog=8002))


def test_what_is_replaced_makes_no_room(image: Image, mounts: ExitStack) -> None:
    mounts.enter_context(disk(image.root / "www"))
    put(image, one=5 * MB)
    assert "applied" == image.apply(image.declare(shop=8001))
    put(image, one=4 * MB)

    (error,) = plan_changes(image.declare(shop=8001)).refusals

    assert "it has 3.0 MB left, and the plan writes 4.0 MB" in error.why


def test_what_fits_exactly_is_applied(image: Image, mounts: ExitStack) -> None:
    mounts.enter_context(disk(image.root / "www"))
    # The style sheet and the file that marks the copy take a page each.
    put(image, one=8 * MB - 2 * 4096)

    assert "applied" == image.apply(image.declare(shop=8001))


def test_many_small_files_count_by_blocks(image: Image, mounts: ExitStack) -> None:
    mounts.enter_context(disk(image.root / "www", "size=1m"))
    put(image, **{f"n{number}": 1024 for number in range(300)})

    error = refusal(image, image.declare(shop=8001))

    assert "it has 1.0 MB left, and the plan writes 1.2 MB" in error.why


def test_too_few_inodes_refuse_the_plan(image: Image, mounts: ExitStack) -> None:
    mounts.enter_context(disk(image.root / "www", "size=8m,nr_inodes=20"))
    put(image, **{f"n{number}": 1024 for number in range(30)})

    error = refusal(image, image.declare(shop=8001))

    assert "it has 19 inodes left, and the plan makes 32 files" in error.why
    assert f"df -i {image.root}/www" in error.fix


def test_a_filesystem_without_a_limit_is_never_full(image: Image, mounts: ExitStack) -> None:
    mounts.enter_context(disk(image.root / "www", "size=0"))
    mounts.enter_context(disk(image.root / "state", "size=0"))
    put(image, one=MB)

    assert "applied" == image.apply(image.declare(shop=8001))


def test_what_is_compressed_counts_for_nothing(image: Image, mounts: ExitStack) -> None:
    mounts.enter_context(disk(image.root / "www", "size=8m,nr_inodes=20"))
    # Too short to become smaller.
    put(image, **{f"n{number}": 1024 for number in range(10)})
    for path in (image.root / "app").glob("*.bin"):
        path.rename(path.with_suffix(".css")).write_text("b {}")
    workspace = image.declare(shop=8001)
    file = Path(workspace.config.file)
    file.write_text(file.read_text().replace("/app}", "/app, precompress: [gzip]}"))

    assert "applied" == image.apply(Workspace.open(str(file)))


def test_holes_need_no_space(image: Image, mounts: ExitStack) -> None:
    mounts.enter_context(disk(image.root / "www"))
    with (image.root / "app/sparse.bin").open("wb") as file:
        file.truncate(100 * MB)

    assert "applied" == image.apply(image.declare(shop=8001))


def test_a_link_leads_to_the_filesystem_that_counts(image: Image, mounts: ExitStack) -> None:
    mounts.enter_context(disk(image.root / "small"))
    (image.root / "www").symlink_to(image.root / "small")
    put(image, one=9 * MB)

    error = refusal(image, image.declare(shop=8001))

    assert f"the filesystem at {image.root}/small is too full for this plan" == error.what


def test_the_state_directory_holds_a_record_of_each_file(image: Image, mounts: ExitStack) -> None:
    mounts.enter_context(disk(image.root / "state", "size=128k"))
    put(image, **{f"n{number}": 1024 for number in range(300)})

    (error,) = plan_changes(image.declare(shop=8001)).refusals

    assert f"the filesystem at {image.root}/state is too full for this plan" == error.what


def test_what_is_reserved_for_root_is_roots_to_use(
    image: Image, mounts: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts.enter_context(ext4(image.root / "www", "-m", "50"))
    put(image, one=9 * MB)
    space = FreeSpace()
    space.add(NewFiles(f"{image.root}/www", [NewFile(9 * MB)]))
    with monkeypatch.context() as another_user:
        another_user.setattr(os, "geteuid", lambda: 1000)
        assert 1 == len([*space.obstacles()])

    assert "applied" == image.apply(image.declare(shop=8001))


def test_a_release_takes_what_its_source_holds(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/app.py").write_bytes(bytes(5000))
    release = Release(site="shop", id="1", folder=f"{tmp_path}/made", source=f"{tmp_path}/src")

    new = release.new_files(Host(), None)

    assert new is not None
    assert (f"{tmp_path}/made/1", [NewFile(5000)]) == (new.directory, [*new.files])


@pytest.mark.parametrize("there", [("1",), ("2", "3", "4")])
def test_a_release_before_which_others_go_may_fit(tmp_path: Path, there: tuple[str, ...]) -> None:
    (tmp_path / "src").mkdir()
    for name in there:
        (tmp_path / "made" / name).mkdir(parents=True)
        (tmp_path / "made" / name / ".incomplete").touch()
    folder = f"{tmp_path}/made"
    release = Release(site="shop", id="1", folder=folder, source=f"{tmp_path}/src", keep=2)

    assert release.new_files(Host(), None) is None


def test_a_single_file_counts(image: Image, mounts: ExitStack) -> None:
    mounts.enter_context(disk(image.root / "etc", "size=1m"))
    (image.root / "big.pdf").write_bytes(bytes(2 * MB))
    declared = f"  {image.root}/etc/big.pdf: {{source: {image.root}/big.pdf}}\n"

    error = refusal(image, image.declare(declared, shop=8001))

    assert f"the plan writes 2.0 MB in {image.root}/etc;" in error.why


def test_a_filesystem_that_may_compress_refuses_nothing(tmp_path: Path) -> None:
    space = FreeSpace()

    space.add(NewFiles("/proc", [NewFile(1 << 60)]))

    assert [] == list(space.obstacles())
