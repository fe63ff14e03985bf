"""Replace the `__main__.py` of a zip application: `replace_main.py ARCHIVE MAIN`."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path


def replace_main(archive: Path, main: bytes) -> None:
    """Write the archive again, every other member and the first line as they were."""
    old = archive.with_suffix(".old")
    archive.rename(old)
    with old.open("rb") as before, archive.open("wb") as after:
        after.write(before.readline())
        with zipfile.ZipFile(before) as packed, zipfile.ZipFile(after, "w") as repacked:
            for member in packed.infolist():
                is_main = member.filename == "__main__.py"
                repacked.writestr(member, main if is_main else packed.read(member))
    archive.chmod(old.stat().st_mode)
    old.unlink()


if __name__ == "__main__":
    replace_main(Path(sys.argv[1]), Path(sys.argv[2]).read_bytes())
