"""Compares what nginx sends for a file with what lies on the disk."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from reconcile.dataclass import dataclass
from reconcile.filesystem.compress import PACKAGES, SMALLEST, codec
from reconcile.nginx.render.compression import TEXT_TYPES
from reconcile.types import Encoding
from reconcile.verify.disk_file import WHOLE, DiskFile

if TYPE_CHECKING:
    from reconcile.system.http import HttpAnswer
    from reconcile.system.http_connection import HttpConnection

LIMIT = 2 * WHOLE
"""Bytes of a body that are read: a compressed one may be larger than its file."""
Form = Literal["plain", "compressed", "range"]
Headers = tuple[tuple[str, str], ...]
_GZIP = 31
_STEP = 64


@dataclass(frozen=True)
class Mismatch:
    """A response that differs from the file: which request, and how, in words."""

    form: Form
    what: str
    response: HttpAnswer
    encoding: str = ""


def mismatch(
    connection: HttpConnection, url: str, file: DiskFile, *, compresses: bool = False
) -> Mismatch | None:
    """The first response over this connection that differs from `file`.

    `compresses`: text is to be sent compressed to those who can read that, and to say so.
    """
    return next(_mismatches(connection, url, file, compresses=compresses), None)


def _mismatches(
    connection: HttpConnection, url: str, file: DiskFile, *, compresses: bool
) -> Iterator[Mismatch]:
    for form, headers, start, expected in _requests(file):
        response = connection.get(url, headers, limit=LIMIT)
        what = _difference(response, file, start, expected)
        if not what and compresses and form == "compressed" and response.status == 200:
            what = _compression_fault(response, len(expected))
        if what:
            encoding = next(iter(response.values("Content-Encoding")), "")
            yield Mismatch(form, what, response, encoding)


def _requests(file: DiskFile) -> Iterator[tuple[Form, Headers, int, bytes]]:
    if file.is_whole:
        content = file.pieces[0][1]
        yield "plain", (), 0, content
        yield "compressed", (("Accept-Encoding", ", ".join(DECODERS)),), 0, content
        if len(content) > 1:
            start = len(content) // 2
            yield "range", _range(start, len(content)), start, content[start:]
        return
    for start, piece in file.pieces:
        yield "range", _range(start, start + len(piece)), start, piece


def _range(start: int, end: int) -> Headers:
    return (("Range", f"bytes={start}-{end - 1}"),)


def _difference(response: HttpAnswer, file: DiskFile, start: int, expected: bytes) -> str:
    """How a response differs from the bytes that it should hold, "" where it does not."""
    if response.error:
        return f"no complete response: {response.detail or response.error}"
    if response.status not in (200, 206):
        return f"got {response.status}"
    try:
        body = _decode_body(response, len(expected) + 1)
    except ValueError as error:
        return str(error)
    if response.status == 206:
        return "" if body == expected else f"other bytes from {start} on"
    # A server may ignore a range, and then sends the whole file.
    whole = file.pieces[0][1]
    if file.is_whole:
        return "" if body == whole else _how_it_differs(body, whole)
    return "" if body[: len(whole)] == whole[: len(body)] else _how_it_differs(body, whole)


def _compression_fault(response: HttpAnswer, size: int) -> str:
    """What is wrong with how a text is compressed, "" for nothing."""
    kind = next(iter(response.values("Content-Type")), "").partition(";")[0].strip()
    if not response.values("Content-Encoding"):
        is_text = kind in TEXT_TYPES and size >= SMALLEST
        return "it is not compressed, although gzip is on" if is_text else ""
    vary = ", ".join(response.values("Vary")).lower()
    if "accept-encoding" in vary or "*" in vary:
        return ""
    return "it is compressed without Vary: Accept-Encoding, so caches mix both forms up"


def _how_it_differs(body: bytes, whole: bytes) -> str:
    if not body:
        return "an empty body"
    if whole.startswith(body):
        return f"only the first {len(body)} bytes"
    return "other bytes"


def _decode_body(response: HttpAnswer, limit: int) -> bytes:
    """The body without its Content-Encoding. Errors: ValueError where it cannot be decoded."""
    encodings = response.values("Content-Encoding")
    if not encodings:
        return response.body
    decode = DECODERS.get(encodings[0])
    if decode is None or len(encodings) > 1:
        raise ValueError(f"Content-Encoding {' and '.join(encodings)}, which was not requested")
    return decode(response.body, limit)


def _gunzip(data: bytes, limit: int) -> bytes:
    decompressor = zlib.decompressobj(_GZIP)
    try:
        decoded = decompressor.decompress(data, limit)
    except zlib.error:
        raise ValueError("what it sends as gzip is not gzip") from None
    if not decompressor.eof and len(decoded) < limit:
        raise ValueError("what it sends as gzip is cut off")
    return decoded


def _unbrotli(data: bytes, limit: int) -> bytes:
    brotli = codec("br")
    decompressor, decoded = brotli.Decompressor(), bytearray()
    try:
        # A few bytes may become gigabytes.
        for start in range(0, len(data), _STEP):
            decoded += decompressor.process(data[start : start + _STEP])
            if len(decoded) >= limit:
                return bytes(decoded[:limit])
    except brotli.error:
        raise ValueError("what it sends as br is not Brotli") from None
    if not decompressor.is_finished():
        raise ValueError("what it sends as br is cut off")
    return bytes(decoded)


def _unzstd(data: bytes, limit: int) -> bytes:
    zstandard = codec("zstd")
    try:
        return bytes(zstandard.ZstdDecompressor().stream_reader(data).read(limit))
    except zstandard.ZstdError:
        raise ValueError("what it sends as zstd is not Zstandard") from None


_ALL_DECODERS: Mapping[Encoding, Callable[[bytes, int], bytes]] = {
    "gzip": _gunzip,
    "br": _unbrotli,
    "zstd": _unzstd,
}
DECODERS: Mapping[str, Callable[[bytes, int], bytes]] = {
    encoding: decode
    for encoding, decode in _ALL_DECODERS.items()
    if encoding not in PACKAGES or find_spec(PACKAGES[encoding])
}
"""The encodings that can be undone here; no other is requested."""
