"""What a checkout lacks is found before it is released."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.filesystem.release.listing import list_source
from reconcile.filesystem.release.unfetched import Unfetched, find_unfetched

POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    f"oid sha256:{'4d' * 32}\n"
    "size 12345\n"
)  # fmt: skip
MODULES = '[submodule "lib"]\n\tpath = vendor/lib\n\turl = ../lib\n[submodule "x"]\n\tpath = x y\n'


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name, text in {
        "app.py": "import lib",
        "static/logo.png": POINTER,
        "static/app.css": "b {}",
        "docs/pointers.md": f"A pointer looks like this:\n{POINTER}",
        "vendor/lib/lib.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def unfetched(source: Path) -> Unfetched:
    return find_unfetched(list_source(str(source)))


@pytest.mark.parametrize("folder", ["", "static"])
def test_a_pointer_of_lfs_is_no_file(source: Path, folder: str) -> None:
    (source / folder / ".gitattributes").write_text("*.png filter=lfs diff=lfs merge=lfs -text\n")

    assert Unfetched(pointers=("static/logo.png",)) == unfetched(source)


def test_without_lfs_no_file_is_a_pointer(source: Path) -> None:
    (source / ".gitattributes").write_text("*.png binary\n")

    assert Unfetched() == unfetched(source)


@pytest.mark.parametrize("name", ["vendor/lib", "x y"])
def test_an_empty_submodule_is_not_checked_out(source: Path, name: str) -> None:
    (source / "x y").mkdir()
    (source / "x y/there").write_text("")
    (source / ".gitmodules").write_text(MODULES)
    assert Unfetched() == unfetched(source)

    for file in (source / name).iterdir():
        file.unlink()

    assert Unfetched(submodules=(name,)) == unfetched(source)


@pytest.mark.parametrize("path", ["../outside", "/etc", "absent", "app.py", ""])
def test_a_submodule_elsewhere_is_nothing_to_check_out(source: Path, path: str) -> None:
    (source / ".gitmodules").write_text(f'[submodule "x"]\n\tpath = {path}\n')

    assert Unfetched() == unfetched(source)
