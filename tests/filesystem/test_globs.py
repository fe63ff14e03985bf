"""Patterns match what glob(3) lists."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path

import pytest

from reconcile.filesystem import globs
from reconcile.filesystem.read import glob

NAMES = ["a.conf", "b.conf", ".hidden.conf", "a.conf~", "ab", "a]b", "-", "x*y", "sub/a.conf", "^a"]
PATTERNS = [
    *["*", "*.conf", ".*", "?", "??", "[ab].conf", "[!a].conf", "[^a].conf", "[a-b].conf"],
    *["*/*", "sub/*", "s?b/a.conf", "a[]]b", "a[!]]b", "[]-]", r"x\*y", "[.]*", "[^^]*", "*.*"],
    *["*.c*f", "*a*", "*a*.*n*f", "s*/*.c*f", "**", "*?.conf", "*o*b*"],
]


class GlobResult(ctypes.Structure):
    _fields_ = [
        ("count", ctypes.c_size_t),
        ("paths", ctypes.POINTER(ctypes.c_char_p)),
        ("reserved", ctypes.c_char * 128),
    ]


def glob3(pattern: str) -> list[str]:
    libc, result = ctypes.CDLL(None), GlobResult()
    libc.glob(pattern.encode(), 0, None, ctypes.byref(result))
    return [result.paths[index].decode() for index in range(result.count)]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_matches_what_the_c_library_lists(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "sub").mkdir()
    for name in NAMES:
        (tmp_path / name).touch()
    candidates = [f"{tmp_path}/{name}" for name in [*NAMES, "sub"]]

    matched = [path for path in candidates if globs.matches(f"{tmp_path}/{pattern}", path)]

    listed = [p for p in glob3(f"{tmp_path}/{pattern}") if not p.endswith(("/.", "/.."))]
    assert sorted(listed) == sorted(matched)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_lists_what_the_c_library_lists(public: Path, pattern: str) -> None:
    (public / "sub").mkdir()
    for name in NAMES:
        (public / name).touch()

    listed = [p for p in glob3(f"{public}/{pattern}") if not p.endswith(("/.", "/.."))]
    assert sorted(listed) == glob(f"{public}/{pattern}")


@pytest.mark.parametrize(
    "pattern", ["*a" * 40 + "*b", "*a" * 40 + "/*/b", "*" * 90 + "b", "?*" * 90 + "b", "*[ab]" * 60]
)
def test_no_pattern_takes_long_to_match_nothing(pattern: str) -> None:
    began = time.process_time()

    assert not globs.matches(pattern, "a" * 255 + "!")

    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("pattern", "folder"),
    [("/a/b/*.conf", "/a/b"), ("/a/*/c", "/a"), ("/a/b", "/a"), ("/*", "/"), ("/a/[x]/*", "/a")],
)
def test_the_folder_of_a_pattern_is_the_last_without_a_wildcard(pattern: str, folder: str) -> None:
    assert folder == globs.static_folder(pattern)
