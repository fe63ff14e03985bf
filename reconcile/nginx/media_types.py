"""Endings of web files, and the types that browsers take for what they are.

Source: the HTML, Fetch, MIME Sniffing and WebAssembly standards; the IANA registry; mime-db.
"""

from __future__ import annotations

from collections.abc import Mapping

UNKNOWN_TYPE = "application/octet-stream"
SCRIPT_TYPES = frozenset(
    [
        *("text/javascript", "application/javascript", "application/x-javascript"),
        *("application/ecmascript", "text/ecmascript", "text/jscript", "text/livescript"),
    ]
)
"""What a browser runs as a module or, behind `nosniff`, as a script."""

TYPES: Mapping[str, tuple[str, ...]] = {
    "text/javascript": ("js", "mjs", "cjs"),
    "text/css": ("css",),
    "text/html": ("html", "htm", "shtml"),
    "text/plain": ("txt", "text", "log", "ini"),
    "text/markdown": ("md", "markdown"),
    "text/csv": ("csv",),
    "text/calendar": ("ics",),
    "text/vcard": ("vcf",),
    "text/vtt": ("vtt",),
    "text/xml": ("xml", "xsl", "xslt"),
    "application/xhtml+xml": ("xhtml",),
    "application/json": ("json", "map"),
    "application/geo+json": ("geojson",),
    "application/ld+json": ("jsonld",),
    "application/manifest+json": ("webmanifest",),
    "application/wasm": ("wasm",),
    "application/atom+xml": ("atom",),
    "application/rss+xml": ("rss",),
    "application/pdf": ("pdf",),
    "application/epub+zip": ("epub",),
    "application/zip": ("zip",),
    "application/gzip": ("gz", "tgz"),
    "application/x-7z-compressed": ("7z",),
    "application/vnd.apple.mpegurl": ("m3u8",),
    "application/dash+xml": ("mpd",),
    "application/vnd.ms-fontobject": ("eot",),
    "font/woff2": ("woff2",),
    "font/woff": ("woff",),
    "font/ttf": ("ttf",),
    "font/otf": ("otf",),
    "font/collection": ("ttc",),
    "image/svg+xml": ("svg", "svgz"),
    "image/png": ("png",),
    "image/apng": ("apng",),
    "image/jpeg": ("jpg", "jpeg"),
    "image/gif": ("gif",),
    "image/webp": ("webp",),
    "image/avif": ("avif",),
    "image/jxl": ("jxl",),
    "image/heic": ("heic",),
    "image/bmp": ("bmp",),
    "image/tiff": ("tif", "tiff"),
    "image/x-icon": ("ico",),
    "video/mp4": ("mp4", "m4v"),
    "video/webm": ("webm",),
    "video/ogg": ("ogv",),
    "video/quicktime": ("mov",),
    "video/mp2t": ("ts",),
    "audio/mpeg": ("mp3",),
    "audio/mp4": ("m4a",),
    "audio/ogg": ("ogg", "oga", "opus"),
    "audio/flac": ("flac",),
    "audio/wav": ("wav",),
    "audio/aac": ("aac",),
    "audio/webm": ("weba",),
    "model/gltf+json": ("gltf",),
    "model/gltf-binary": ("glb",),
}
"""Type → the endings that it belongs to."""

BY_ENDING: Mapping[str, str] = {
    ending: name for name, endings in TYPES.items() for ending in endings
}
"""Ending, without the dot and in lower case → its type."""

_STRICT: Mapping[str, tuple[frozenset[str], str]] = {
    "mjs": (SCRIPT_TYPES, "browsers refuse to run it"),
    "css": (frozenset(["text/css"]), "browsers do not apply it"),
    "svg": (frozenset(["image/svg+xml"]), "browsers do not show it as an image"),
    "wasm": (frozenset(["application/wasm"]), "browsers do not compile it while it loads"),
    "html": (
        frozenset(["text/html", "application/xhtml+xml", "text/xml", "application/xml"]),
        "browsers download it",
    ),
}
_SAME = {"htm": "html", "svgz": "svg"}


def refusal(ending: str, sent: str, *, is_strict: bool) -> str:
    """What browsers do with a file of this ending that arrives as `sent`; "" if they take it.

    `is_strict`: `X-Content-Type-Options: nosniff` comes with it. Only what no browser forgives
    counts: images, fonts and films are recognised by their content.
    """
    if ending == "js" and is_strict:
        ending = "mjs"
    accepted, effect = _STRICT.get(_SAME.get(ending, ending), (None, ""))
    essence = sent.partition(";")[0].strip().lower()
    return "" if accepted is None or essence in accepted else effect
