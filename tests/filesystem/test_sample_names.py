"""A few names of what lies in a folder, however much that is."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.filesystem.inventory import NAMES_READ, sample_files

pytestmark = pytest.mark.process


def lay(root: Path, *names: str) -> str:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return str(root)


def test_one_file_of_each_folder_is_named(public: Path) -> None:
    root = lay(public, "a.txt", "b.txt", "css/app.css", "css/b.css", "js/app.js")

    assert ("a.txt", "css/app.css") == sample_files(root, 2)
    assert ("a.txt", "css/app.css", "js/app.js") == sample_files(root, 9)


def test_dotfiles_and_links_are_left_out(public: Path) -> None:
    root = lay(public, ".env", ".git/HEAD", "real/file")
    (public / "link").symlink_to("real/file")
    (public / "linked").symlink_to("real")

    assert ("real/file",) == sample_files(root, 9)


def test_of_a_crowded_folder_only_a_part_is_read(public: Path) -> None:
    root = lay(public, *(f"{number}.jpg" for number in range(NAMES_READ + 100)))

    assert 1 == len(sample_files(root, 9))


def test_a_folder_that_is_not_there_is_an_error(public: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        sample_files(str(public / "none"), 1)
