"""Compressed siblings that are made of the source, and kept true."""

from __future__ import annotations

import gzip
import os
from dataclasses import replace
from pathlib import Path

import brotli
import pytest
import zstandard

from reconcile.engine.ledger import managed_digests
from reconcile.filesystem import compress
from reconcile.filesystem.compress import SUFFIXES, compressed, is_worth
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.sync import precompressed
from reconcile.resources.assets import Assets
from reconcile.system import Host
from reconcile.types import Encoding
from tests.support.completed import completed
from tests.support.disk import picture
from tests.support.recorder import recording

pytestmark = pytest.mark.process

STYLE = b"body { color: black; margin: 0; }\n" * 100
UNPACK = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": zstandard.ZstdDecompressor().decompress,
}
ALL: tuple[Encoding, ...] = ("gzip", "br", "zstd")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    (source / "css").mkdir(parents=True)
    (source / "css/app.css").write_bytes(STYLE)
    (source / "small.css").write_bytes(b"p {}")
    (source / "photo.jpg").write_bytes(b"not really " * 1_000)
    return source


@pytest.fixture
def assets(source: Path, root: Path) -> Assets:
    return Assets(
        path=str(root), source=str(source), user="root", group="root", precompress=("gzip",)
    )


def lines(assets: Assets, host: Host) -> list[str]:
    found = assets.observe(host)
    assert found is not None
    shown: list[str] = found.display()["differences"]
    return shown


def apply(assets: Assets, host: Host) -> None:
    before = assets.observe(host)
    completed(assets, before, host).apply(host, before)
    assert [] == lines(assets, host)


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def made(assets: Assets, host: Host) -> Assets:
    """Made once; nothing to do."""
    apply(assets, host)
    return assets


PLAIN = {"css/app.css", "small.css", "photo.jpg"}


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("app.css", 1_024, True),
        ("APP.JS", 9_000, True),
        ("font.woff2", 9_000, False),
        ("photo.jpg", 9_000, False),
        ("bundle.js.gz", 9_000, False),
        ("app.css", 1_023, False),
        ("huge.json", (16 << 20) + 1, False),
    ],
)
def test_only_what_usually_becomes_smaller_by_enough_is_worth_it(
    name: str, size: int, expected: bool
) -> None:
    assert expected == is_worth(name, size)


@pytest.mark.parametrize("encoding", ALL)
def test_the_bytes_are_always_the_same_and_hold_the_same_content(encoding: Encoding) -> None:
    once, again = compressed(encoding, STYLE), compressed(encoding, STYLE)

    assert once == again
    assert STYLE == UNPACK[encoding](once)


def test_gzip_files_hold_no_time_and_no_name() -> None:
    assert b"\x1f\x8b\x08\x00\x00\x00\x00\x00" == compressed("gzip", STYLE)[:8]


def test_a_library_that_is_missing_is_an_error_before_anything_changes(
    assets: Assets, host: Host, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(compress.PACKAGES, "br", "no_such_library")
    wanted = replace(assets, precompress=("gzip", "br"))

    with pytest.raises(HostError) as reported:
        wanted.observe(host)

    assert "precompress: br is not available" == reported.value.what
    assert "the Python package no_such_library is not installed" == reported.value.why
    assert reported.value.fix.startswith("Install reconcile-host[compress]")
    assert [] == os.listdir(root)


def test_a_sibling_is_made_for_each_encoding_of_what_is_worth_it(
    assets: Assets, host: Host, root: Path
) -> None:
    apply(replace(assets, precompress=ALL), host)

    assert PLAIN | {f"css/app.css{suffix}" for suffix in SUFFIXES.values()} == files(root)
    for encoding, suffix in SUFFIXES.items():
        assert STYLE == UNPACK[encoding]((root / f"css/app.css{suffix}").read_bytes())


def test_the_plan_shows_and_counts_it(assets: Assets, host: Host) -> None:
    found = assets.observe(host)
    assert found is not None

    assert "css/app.css.gz: missing compressed copy" in found.display()["differences"]
    assert 4 == found.total


def test_it_has_the_owner_and_mode_of_the_others(made: Assets, host: Host, root: Path) -> None:
    (root / "css/app.css.gz").chmod(0o600)

    assert ["css/app.css.gz: mode 0600 -> 0644"] == lines(made, host)
    apply(made, host)
    assert 0o100644 == (root / "css/app.css.gz").stat().st_mode


def test_a_changed_source_gets_a_new_one(
    made: Assets, host: Host, root: Path, source: Path
) -> None:
    (source / "css/app.css").write_bytes(STYLE.upper())

    assert [
        "css/app.css: different content (3,400 bytes)",
        "css/app.css.gz: outdated compressed copy",
    ] == lines(made, host)
    apply(made, host)
    assert STYLE.upper() == gzip.decompress((root / "css/app.css.gz").read_bytes())


@pytest.mark.parametrize(
    "content", [b"x", gzip.compress(b"another", mtime=0)], ids=["not gzip", "of other bytes"]
)
def test_a_changed_sibling_is_compressed_again(
    made: Assets, host: Host, root: Path, content: bytes
) -> None:
    (root / "css/app.css.gz").write_bytes(content)

    apply(made, host)

    assert STYLE == gzip.decompress((root / "css/app.css.gz").read_bytes())


def test_one_that_somebody_removed_is_drift(made: Assets, host: Host, root: Path) -> None:
    there = made.observe(host)
    assert there is not None
    written = managed_digests(made, there)
    (root / "css/app.css.gz").unlink()

    found = made.observe(host)

    assert "drift" == made.cause("differences", found, written)


def test_it_is_never_older_than_its_file(made: Assets, host: Host, root: Path) -> None:
    (root / "css/app.css").write_bytes(b"drifted")

    apply(made, host)

    plain, packed = root / "css/app.css", root / "css/app.css.gz"
    assert plain.stat().st_mtime_ns <= packed.stat().st_mtime_ns


class TestWhatDoesNotBecomeSmaller:
    @pytest.fixture
    def source(self, source: Path) -> Path:
        (source / "random.txt").write_bytes(os.urandom(4_096))
        return source

    def test_gets_none_and_that_is_remembered(
        self, made: Assets, host: Host, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tried: list[str] = []
        monkeypatch.setattr(precompressed, "compressed", lambda *_: tried.append("again"))

        assert [] == lines(made, host)
        apply(replace(made, files=0o640), host)

        assert PLAIN | {"random.txt", "css/app.css.gz"} == files(root)
        assert [] == tried

    def test_loses_the_one_that_it_had(
        self, made: Assets, host: Host, root: Path, source: Path
    ) -> None:
        (source / "css/app.css").write_bytes(os.urandom(4_096))

        apply(made, host)

        assert PLAIN | {"random.txt"} == files(root)


class TestNoLongerAskedFor:
    def test_those_that_we_made_are_removed(self, made: Assets, host: Host, root: Path) -> None:
        plain = replace(made, precompress=())

        assert ["css/app.css.gz: compressed by reconcile, and no longer requested"] == (
            lines(plain, host)
        )
        apply(plain, host)
        assert PLAIN == files(root)

    def test_one_of_somebody_else_stays(
        self, assets: Assets, host: Host, root: Path, source: Path
    ) -> None:
        plain = replace(assets, precompress=())
        apply(plain, host)
        (root / "css/app.css.gz").write_bytes(gzip.compress(STYLE))
        (root / "css/app.css.br").write_bytes(brotli.compress(STYLE))

        apply(assets, host)
        apply(plain, host)

        assert PLAIN | {"css/app.css.br"} <= files(root)

    def test_when_the_source_goes_it_goes_though_nothing_is_pruned(
        self, made: Assets, host: Host, root: Path, source: Path
    ) -> None:
        (source / "css/app.css").unlink()

        apply(made, host)

        assert PLAIN == files(root)

    def test_removing_all_takes_them_along(self, made: Assets, host: Host, root: Path) -> None:
        Assets.from_name(str(root)).delete(host)

        assert [] == os.listdir(root)


def test_the_builds_own_is_copied_and_not_generated(
    assets: Assets, host: Host, root: Path, source: Path
) -> None:
    (source / "css/app.css.gz").write_bytes(b"by the build")

    apply(assets, host)

    assert b"by the build" == (root / "css/app.css.gz").read_bytes()


def test_the_builds_own_goes_before_the_one_that_we_made(
    made: Assets, host: Host, root: Path, source: Path
) -> None:
    (source / "css/app.css.gz").write_bytes(b"by the build")
    apply(made, host)
    assert b"by the build" == (root / "css/app.css.gz").read_bytes()

    (source / "css/app.css.gz").unlink()
    apply(made, host)
    assert STYLE == gzip.decompress((root / "css/app.css.gz").read_bytes())


def test_pruning_leaves_them(made: Assets, host: Host, root: Path) -> None:
    apply(replace(made, prune=True), host)

    assert PLAIN | {"css/app.css.gz"} == files(root)


def test_nothing_is_opened_or_compressed_where_nothing_changed(
    made: Assets, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(
        precompressed.PrecompressedComparison,
        "compare",
        lambda self, path, *_, **__: opened.append(path),
    )

    assert [] == lines(made, host)
    assert [] == [path for path in opened if is_worth(path, 1 << 20)]


def test_without_what_we_remember_they_are_compared(made: Assets, host: Host, root: Path) -> None:
    host.state.remove("assets")
    assert [] == lines(made, host)

    (root / "css/app.css.gz").write_bytes(gzip.compress(b"another"))

    assert ["css/app.css.gz: outdated compressed copy"] == lines(made, host)


def test_undo_gives_back_the_ones_before(
    made: Assets, host: Host, root: Path, source: Path
) -> None:
    before = picture(root)
    (source / "css/app.css").write_bytes(STYLE.upper())
    recorder = recording(host)

    apply(replace(made, precompress=ALL), host)
    assert before != picture(root)

    assert [] == recorder.take_back(host)
    assert before == picture(root)


def test_each_follows_its_file_at_once(
    assets: Assets, host: Host, root: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "index.html").write_bytes(STYLE)
    (source / "app.js").write_bytes(STYLE)
    named: list[str] = []
    rename = os.rename

    def watched(old: str, new: str, **fds: int) -> None:
        rename(old, new, **fds)
        named.append(new)

    monkeypatch.setattr(os, "rename", watched)
    apply(assets, host)

    order = [name for name in named if name.startswith(("app", "index"))]
    assert [
        *("app.js", "app.js.gz", "app.css", "app.css.gz", "index.html", "index.html.gz")
    ] == order
