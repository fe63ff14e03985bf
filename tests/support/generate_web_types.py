"""Write reconcile/nginx/model/web_types.py from npm's mime-db: `poe web-types`.

mime-db collects the registries of IANA, Apache and nginx. Of its types only those are taken whose
files browsers load; where it lists several for one ending, the one that browsers expect.
"""

from __future__ import annotations

import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

PACKAGE = "mime-db@1.54.0"
TARGET = Path(__file__).parents[2] / "reconcile/nginx/model/web_types.py"
ENDINGS = (
    *("html", "htm", "xhtml", "css", "js", "mjs", "wasm", "json", "map", "jsonld", "geojson"),
    *("webmanifest", "xml", "rss", "atom", "txt", "log", "md", "csv", "tsv", "vtt", "ics"),
    *("yaml", "yml", "toml", "pdf", "svg", "svgz", "avif", "jxl", "webp", "png", "apng", "gif"),
    *("jpg", "jpeg", "bmp", "ico", "tif", "tiff", "heic", "heif", "woff", "woff2", "ttf", "otf"),
    *("ttc", "eot", "mp3", "m4a", "aac", "flac", "ogg", "oga", "opus", "wav", "weba", "mp4"),
    *("m4v", "webm", "ogv", "mov", "mpeg", "m3u8", "mpd", "zip", "gz", "glb", "gltf", "ktx2"),
)
SOURCES = ("iana", "apache", "nginx", None)
"""The registries, the one that decides first."""
HEAD = '''"""What browsers take a file for, by the ending of its name.

Generated from npm's {package} by `poe web-types`: change tests/support/generate_web_types.py.
mime-db is (c) 2014 Jonathan Ong and 2015-2022 Douglas Christopher Wilson, under the MIT licence.
"""

from __future__ import annotations

from collections.abc import Mapping

WEB_TYPES: Mapping[str, str] = {{
'''


def main() -> None:
    """Write the table."""
    database = read_database()
    lines = (f'    "{ending}": "{chosen(database, ending)}",\n' for ending in ENDINGS)
    TARGET.write_text(HEAD.format(package=PACKAGE) + "".join(lines) + "}\n")


def read_database() -> dict[str, Any]:
    """Every type of the package, with its endings and its source."""
    with TemporaryDirectory() as folder:
        packed = ["npm", "pack", "--silent", "--pack-destination", folder, PACKAGE]
        name = subprocess.run(packed, check=True, capture_output=True, text=True).stdout.strip()
        with tarfile.open(Path(folder, name)) as archive:
            member = archive.extractfile("package/db.json")
            assert member is not None
            return dict(json.load(member))


def chosen(database: dict[str, Any], ending: str) -> str:
    """The type of the best source; of several an image's, a sound's or a text's."""
    return min(candidates(database, ending))[-1]


def candidates(database: dict[str, Any], ending: str) -> Iterator[tuple[int, bool, str]]:
    for kind, known in database.items():
        if ending in known.get("extensions", ()):
            yield SOURCES.index(known.get("source")), kind.startswith("application/"), kind


if __name__ == "__main__":
    main()
