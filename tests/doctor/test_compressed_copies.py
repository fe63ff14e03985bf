"""Compressed copies beside their originals: empty, cut off, of another format or another day."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import brotli
import pytest
import zstandard

from tests.doctor.single_rule import found, noted

pytestmark = pytest.mark.process

CSS = b"body { color: #123 } " * 100
NEW = b"body { color: #456 } " * 100
SITE = (
    "server { server_name a.test; location /static/ { alias {root}/static/;"
    " gzip_static on; brotli_static on; zstd_static always; } }"
)
BROKEN = {
    "empty": (".gz", b"", "is not a gzip file (0 bytes)"),
    "cut off": (".gz", gzip.compress(CSS)[:40], "is not a complete gzip file (40 bytes)"),
    "of another format": (".gz", CSS, "is not a complete gzip file"),
    "empty, for Brotli": (".br", b"", "is not a br file (0 bytes)"),
    "cut off, for Brotli": (".br", brotli.compress(CSS)[:20], "is not a complete br file"),
    "gzip that is called Brotli": (".br", gzip.compress(CSS), "is not a complete br file"),
    "no Zstandard": (".zst", CSS, "is not a complete zstd file"),
}


def lay(root: Path, suffix: str, data: bytes, *, age_s: int) -> None:
    folder = root / "static"
    folder.mkdir(exist_ok=True)
    (folder / "app.css").write_bytes(CSS)
    (folder / f"app.css{suffix}").write_bytes(data)
    at = (folder / "app.css").stat().st_mtime - age_s
    os.utime(folder / f"app.css{suffix}", (at, at))


@pytest.mark.parametrize("age_s", [-60, 60])
@pytest.mark.parametrize(("suffix", "data", "problem"), BROKEN.values(), ids=BROKEN)
def test_stale_precompressed_reports_a_broken_copy_however_new(
    tmp_path: Path, suffix: str, data: bytes, problem: str, age_s: int
) -> None:
    lay(tmp_path, suffix, data, age_s=age_s)

    [finding] = found("stale-precompressed", tmp_path, SITE)

    assert "error" == finding.severity
    assert problem in finding.evidence[0]
    assert finding.fix.startswith(f"rm {tmp_path}/static/app.css{suffix} ")


@pytest.mark.parametrize("age_s", [-60, 60])
def test_stale_precompressed_reports_other_content_however_new(tmp_path: Path, age_s: int) -> None:
    lay(tmp_path, ".gz", gzip.compress(NEW), age_s=age_s)

    [finding] = found("stale-precompressed", tmp_path, SITE)

    assert ("warning", True) == (finding.severity, "has other content" in finding.evidence[0])


RIGHT = {".gz": gzip.compress(CSS), ".br": brotli.compress(CSS), ".zst": b""}
RIGHT[".zst"] = zstandard.ZstdCompressor().compress(CSS)


@pytest.mark.parametrize("age_s", [-60, 60])
@pytest.mark.parametrize("suffix", RIGHT)
def test_stale_precompressed_is_silent_about_a_copy_however_old(
    tmp_path: Path, suffix: str, age_s: int
) -> None:
    lay(tmp_path, suffix, RIGHT[suffix], age_s=age_s)

    assert [] == found("stale-precompressed", tmp_path, SITE)
    assert [] == noted("stale-precompressed", tmp_path, SITE)


def test_stale_precompressed_is_silent_about_an_archive_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static/data.gz").write_bytes(b"")

    assert [] == found("stale-precompressed", tmp_path, SITE)


def test_stale_precompressed_notes_what_is_not_sent(tmp_path: Path) -> None:
    lay(tmp_path, ".gz", b"", age_s=0)

    [finding] = noted("stale-precompressed", tmp_path, SITE.replace("gzip_static on;", ""))

    assert "nginx does not send them" in finding.what
