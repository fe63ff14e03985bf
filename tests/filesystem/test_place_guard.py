"""No effect happens in a folder of users' data, by whichever name it is reached."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from reconcile.filesystem.permissions import PermissionPolicy
from reconcile.filesystem.place import Place, is_one_in_the_other, locate
from reconcile.filesystem.place_guard import PlaceGuard, ProtectedPlace
from reconcile.filesystem.sync.sync_diff import SyncRequest
from reconcile.system import Host
from tests.support.recorder import MemoryRecorder
from tests.support.sync import sync

pytestmark = pytest.mark.process

Mount = Callable[..., None]
Effect = Callable[[Host, Path], None]
POLICY = PermissionPolicy(0, 0, 0o644, 0o755)


@pytest.fixture
def mount() -> Iterator[Mount]:
    """Mounts, until the end of the test."""
    points: list[str] = []

    def mount(*arguments: str | Path) -> None:
        subprocess.run(["mount", *arguments], check=True)
        points.append(str(arguments[-1]))

    yield mount
    for point in reversed(points):
        subprocess.run(["umount", point], check=True)


@pytest.fixture
def media(site: Path) -> Path:
    """A folder with an upload in it, and another one in a folder of that."""
    media = site / "app/media"
    (media / "2026").mkdir(parents=True)
    (media / "u.jpg").write_text("upload")
    (media / "2026/u.jpg").write_text("upload")
    return media


def uploads(site: Path) -> int:
    return sum(path.read_text() == "upload" for path in site.rglob("u.jpg"))


def symlink(site: Path, media: Path, mount: Mount) -> Path:
    (site / "link").symlink_to(media)
    return site / "link"


def symlink_to_one_above(site: Path, media: Path, mount: Mount) -> Path:
    (site / "link").symlink_to(media.parent)
    return site / "link/media/2026"


def dots(site: Path, media: Path, mount: Mount) -> Path:
    (site / "other").mkdir()
    return site / "other/../app/media"


def bind_mount(site: Path, media: Path, mount: Mount) -> Path:
    (site / "bind").mkdir()
    mount("--bind", media, site / "bind")
    return site / "bind"


def bind_mount_of_a_folder_in_it(site: Path, media: Path, mount: Mount) -> Path:
    (site / "bind").mkdir()
    mount("--bind", media / "2026", site / "bind")
    return site / "bind"


def bind_mount_of_one_above(site: Path, media: Path, mount: Mount) -> Path:
    (site / "bind").mkdir()
    mount("--bind", site / "app", site / "bind")
    return site / "bind/media"


def overlay(site: Path, media: Path, mount: Mount) -> Path:
    for name in ("lower", "work", "merged"):
        (site / name).mkdir()
    layers = f"lowerdir={site}/lower,upperdir={media},workdir={site}/work"
    mount("-t", "overlay", "-o", layers, "overlay", site / "merged")
    return site / "merged/2026"


def other_mount_in_it(site: Path, media: Path, mount: Mount) -> Path:
    (media / "disk").mkdir()
    mount("-t", "tmpfs", "tmpfs", media / "disk")
    (media / "disk/u.jpg").write_text("upload")
    return media / "disk"


WAYS = (
    symlink,
    symlink_to_one_above,
    dots,
    bind_mount,
    bind_mount_of_a_folder_in_it,
    bind_mount_of_one_above,
    overlay,
    other_mount_in_it,
)
Way = Callable[[Path, Path, Mount], Path]
ways = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


def write(host: Host, folder: Path) -> None:
    host.files.write(str(folder / "u.jpg"), b"x", uid=0, gid=0, mode=0o644)


def link(host: Host, folder: Path) -> None:
    host.files.symlink(str(folder / "u.jpg"), "/elsewhere")


def unlink(host: Host, folder: Path) -> None:
    host.files.unlink(str(folder / "u.jpg"))


def prune(host: Host, folder: Path) -> None:
    source = Path(host.state.path).parent / "source"
    source.mkdir()
    sync(host, SyncRequest(str(source), str(folder), POLICY, prune=True))


def remove_what_was_copied(host: Host, folder: Path) -> None:
    """What was copied there holds the same as an upload."""
    source = Path(host.state.path).parent / "source"
    source.mkdir()
    (source / "u.jpg").write_text("upload")
    guard, host.guard = host.guard, PlaceGuard()
    sync(host, SyncRequest(str(source), str(folder), POLICY))
    host.guard = guard
    host.files.remove_synced(str(folder))


effects = pytest.mark.parametrize(
    "effect",
    [write, link, unlink, prune, remove_what_was_copied],
    ids=lambda effect: effect.__name__,
)


@ways
@effects
def test_an_effect_is_refused(
    effect: Callable[[Host, Path], None],
    way: Way,
    host: Host,
    site: Path,
    media: Path,
    mount: Mount,
) -> None:
    folder = way(site, media, mount)
    before = uploads(site)
    host.guard = PlaceGuard({str(media): ()})

    with pytest.raises(ProtectedPlace):
        effect(host, folder)

    assert before == uploads(site)


@ways
def test_an_empty_folder_in_it_is_not_removed(
    way: Way, host: Host, site: Path, media: Path, mount: Mount
) -> None:
    folder = way(site, media, mount) / "empty"
    folder.mkdir()
    host.guard = PlaceGuard({str(media): ()})

    with pytest.raises(ProtectedPlace):
        host.files.rmdir(str(folder))


@ways
def test_what_lies_beside_it_may_be_changed(
    way: Way, host: Host, site: Path, media: Path, mount: Mount
) -> None:
    way(site, media, mount)
    host.guard = PlaceGuard({str(media): ()})

    (site / "app/static").mkdir()
    write(host, site / "app/static")

    assert "x" == (site / "app/static/u.jpg").read_text()


class TestAFolderThatWasMoved:
    """Only the record knows it."""

    @pytest.fixture
    def recorded(self, media: Path) -> dict[str, tuple[Place, ...]]:
        return {str(media): locate(str(media)).places}

    @pytest.mark.parametrize("moved", ["app", "app/media"])
    @effects
    def test_is_known_by_its_inode(
        self,
        effect: Effect,
        moved: str,
        recorded: dict[str, tuple[Place, ...]],
        host: Host,
        site: Path,
    ) -> None:
        (site / moved).rename(site / f"{moved}.old")
        [folder] = site.glob("app*/media*")
        host.guard = PlaceGuard(recorded)

        with pytest.raises(ProtectedPlace):
            effect(host, folder)

        assert 2 == uploads(site)

    def test_is_known_below_a_folder_that_is_pruned(
        self, recorded: dict[str, tuple[Place, ...]], host: Host, site: Path
    ) -> None:
        (site / "app").rename(site / "static")
        host.guard = PlaceGuard(recorded)

        with pytest.raises(ProtectedPlace):
            prune(host, site / "static")

        assert 2 == uploads(site)

    def test_is_known_through_a_bind_mount_of_a_folder_in_it(
        self, recorded: dict[str, tuple[Place, ...]], host: Host, site: Path, mount: Mount
    ) -> None:
        (site / "app").rename(site / "moved")
        (site / "bind").mkdir()
        mount("--bind", site / "moved/media/2026", site / "bind")
        host.guard = PlaceGuard(recorded)

        with pytest.raises(ProtectedPlace):
            unlink(host, site / "bind")

    def test_does_not_protect_a_later_one_with_its_inode_number(
        self, recorded: dict[str, tuple[Place, ...]], host: Host, site: Path, media: Path
    ) -> None:
        [place] = recorded[str(media)]
        (site / "app").rename(site / "moved")
        later = place._replace(path="/gone", born_ns=place.born_ns - 1)
        host.guard = PlaceGuard({"/gone": (later,)})

        unlink(host, site / "moved/media")

        assert 1 == uploads(site)


def test_a_link_that_turns_between_two_effects_is_followed_anew(
    host: Host, site: Path, media: Path
) -> None:
    (site / "rel2").mkdir()
    (site / "rel2/media").mkdir()
    (site / "rel2/media/u.jpg").write_text("upload")
    (site / "cur").symlink_to(site / "app")
    host.guard = PlaceGuard({f"{site}/cur/media": ()})

    unlink(host, site / "rel2/media")
    host.files.symlink(str(site / "cur"), str(site / "rel2"))

    with pytest.raises(ProtectedPlace):
        write(host, site / "rel2/media")


def test_a_case_that_the_filesystem_ignores_is_the_same_folder(
    host: Host, site: Path, mount: Mount
) -> None:
    image = site / "image"
    with image.open("wb") as file:
        file.truncate(16 << 20)
    made = subprocess.run(
        ["mkfs.ext4", "-q", "-O", "casefold", image], check=False, capture_output=True
    )
    if made.returncode:
        pytest.skip("mkfs.ext4 cannot make a filesystem that ignores the case")
    (site / "disk").mkdir()
    mounted = subprocess.run(["mount", "-o", "loop", image, site / "disk"], check=False)
    if mounted.returncode:
        pytest.skip("this kernel cannot mount a filesystem that ignores the case")
    try:
        (site / "disk/folder").mkdir()
        subprocess.run(["chattr", "+F", site / "disk/folder"], check=True)
        (site / "disk/folder/media").mkdir()
        (site / "disk/folder/media/u.jpg").write_text("upload")
        host.guard = PlaceGuard({f"{site}/disk/folder/media": ()})

        with pytest.raises(ProtectedPlace):
            unlink(host, site / "disk/folder/MEDIA")
    finally:
        subprocess.run(["umount", site / "disk"], check=True)


class TestAsASource:
    """Uploads are not published as static files."""

    def test_the_folder_itself_is_refused(self, host: Host, site: Path, media: Path) -> None:
        (site / "copy").mkdir()
        host.guard = PlaceGuard({str(media): ()})

        with pytest.raises(ProtectedPlace):
            sync(host, SyncRequest(str(media), str(site / "copy"), POLICY))

    def test_below_the_source_it_is_left_out(self, host: Host, site: Path, media: Path) -> None:
        (site / "copy").mkdir()
        source = site / "source"
        source.mkdir()
        (source / "a.css").write_text("a")
        media.rename(source / "uploads")
        host.guard = PlaceGuard({str(source / "uploads"): ()})

        request = SyncRequest(str(source), str(site / "copy"), POLICY)
        sync(host, request)

        assert ["a.css"] == [path.name for path in (site / "copy").iterdir()]
        assert ["uploads"] == host.files.diff(request).not_copied.protected.paths


def test_what_was_copied_into_it_before_it_was_protected_stays(host: Host, site: Path) -> None:
    for name in ("a.css", "media/u.jpg", "media/2026/u.jpg"):
        (site / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (site / "source" / name).write_text("upload")
    (site / "copy").mkdir()
    sync(host, SyncRequest(str(site / "source"), str(site / "copy"), POLICY))
    host.guard = PlaceGuard({str(site / "copy/media"): ()})

    host.files.remove_synced(str(site / "copy"))

    left = sorted(path.name for path in (site / "copy").rglob("*"))
    assert ["2026", "media", "u.jpg", "u.jpg"] == left


class TestUndoing:
    """A rollback goes by the same rule; what it must leave alone, it reports."""

    @pytest.fixture
    def alias(self, site: Path) -> Path:
        (site / "alias").mkdir()
        return site / "alias"

    @pytest.mark.parametrize("effect", [write, link, unlink], ids=lambda effect: effect.__name__)
    @ways
    def test_leaves_what_has_become_another_name_of_it(
        self,
        effect: Effect,
        way: Way,
        host: Host,
        recorder: MemoryRecorder,
        alias: Path,
        site: Path,
        media: Path,
        mount: Mount,
    ) -> None:
        (alias / "u.jpg").write_text("x")
        effect(host, alias)
        alias.rename(site / "gone")
        alias.symlink_to(way(site, media, mount))
        before = uploads(site)
        host.guard = PlaceGuard({str(media): ()})

        [note] = recorder.take_back(host)

        assert "which is protected" in note
        assert before == uploads(site)

    def test_checks_each_directory_once(
        self, host: Host, recorder: MemoryRecorder, alias: Path, media: Path
    ) -> None:
        for number in range(5):
            host.files.write(f"{alias}/{number}", b"x", uid=0, gid=0, mode=0o644)
        host.guard = PlaceGuard({str(media): ()})

        with patch.object(host.guard, "enter", wraps=host.guard.enter) as checks:
            assert [] == recorder.take_back(host)

        assert 1 == checks.call_count
        assert [] == [*alias.iterdir()]


def test_only_owners_and_modes_are_changed_in_it(host: Host, media: Path) -> None:
    host.guard = PlaceGuard({str(media): ()})

    host.files.set_permissions(str(media / "u.jpg"), uid=0, gid=0, mode=0o600)

    assert 0o600 == os.stat(media / "u.jpg").st_mode & 0o7777


def test_an_overlay_may_cover_its_own_layer(site: Path, media: Path, mount: Mount) -> None:
    for name in ("changes", "work"):
        (site / name).mkdir()
    layers = f"lowerdir={site}/app,upperdir={site}/changes,workdir={site}/work"
    mount("-t", "overlay", "-o", layers, "overlay", site / "app")

    assert str(media) == locate(str(media)).path
    assert is_one_in_the_other(locate(str(media)), locate(str(site / "app")))
