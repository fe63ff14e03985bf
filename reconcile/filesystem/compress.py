"""Compressed siblings (`app.css.gz` beside `app.css`), which nginx serves in place of the file.

Source: ngx_http_gzip_static_module, and its counterparts for Brotli and Zstandard.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from reconcile.filesystem.host_error import HostError
from reconcile.types import Encoding

SUFFIXES: dict[Encoding, str] = {"gzip": ".gz", "br": ".br", "zstd": ".zst"}
COMPRESSED = tuple(SUFFIXES.values())
PACKAGES: dict[Encoding, str] = {"br": "brotli", "zstd": "zstandard"}
"""Modules of the extra `compress`; gzip is in the standard library."""

COMPRESSIBLE = (
    ".css",
    ".js",
    ".mjs",
    ".json",
    ".map",
    ".webmanifest",
    ".html",
    ".htm",
    ".xhtml",
    ".xml",
    ".rss",
    ".atom",
    ".svg",
    ".txt",
    ".md",
    ".csv",
    ".wasm",
    ".ico",
    ".bmp",
    ".ttf",
    ".otf",
    ".eot",
)
SMALLEST = 1_024
"""Bytes below which the response fits into one packet anyway."""
LARGEST = 16 << 20
"""Bytes above which a file is not read into memory to be compressed."""


def is_worth(name: str, size: int) -> bool:
    """Whether a file of this name and size usually becomes smaller, by enough."""
    return SMALLEST <= size <= LARGEST and name.lower().endswith(COMPRESSIBLE)


def refuse_missing(encodings: Sequence[Encoding]) -> None:
    """Check that the libraries are installed. Errors: HostError."""
    for encoding in encodings:
        package = PACKAGES.get(encoding)
        if package is not None and find_spec(package) is None:
            raise HostError(
                what=f"precompress: {encoding} is not available",
                why=f"the Python package {package} is not installed",
                fix="Install reconcile-host[compress], or remove"
                f" {encoding} from `precompress` in the YAML.",
            )


def codec(encoding: Encoding) -> Any:
    """The optional package of `encoding`, imported when it is first used."""
    return import_module(PACKAGES[encoding])


def compressed(encoding: Encoding, data: bytes) -> bytes:
    """`data` as small as possible; the same bytes for the same data, library and version."""
    return _COMPRESS[encoding](data)


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=9, mtime=0)


def _brotli(data: bytes) -> bytes:
    brotli = codec("br")
    return bytes(brotli.compress(data, mode=brotli.MODE_TEXT, quality=11))


def _zstd(data: bytes) -> bytes:
    # Browsers refuse windows over 8 MiB, which level 19 keeps to and 20 and more do not.
    return bytes(codec("zstd").ZstdCompressor(level=19).compress(data))


_COMPRESS: dict[Encoding, Callable[[bytes], bytes]] = {
    "gzip": _gzip,
    "br": _brotli,
    "zstd": _zstd,
}
