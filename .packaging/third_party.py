"""Print the licences of the Python packages in a folder, as Markdown: `third_party.py FOLDER`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

OWN = "reconcile-host"
LONGEST = 80
TEXTS = ("LICENSE", "LICENCE", "COPYING", "NOTICE", "AUTHORS")


def main(folder: str) -> None:
    """Print a table of all packages, then each package's own texts."""
    found = sorted(
        (one for one in distributions(path=[folder]) if one.metadata["Name"] != OWN),
        key=lambda one: one.metadata["Name"].lower(),
    )
    print("# Third-party software\n\nWhat reconcile's packages contain beside reconcile.\n")
    print("| package | version | licence |\n|---|---|---|")
    for one in found:
        print(f"| {one.metadata['Name']} | {one.version} | {_licence(one)} |")
    for one in found:
        for name, text in _texts(one):
            print(f"\n## {one.metadata['Name']}: {name}\n\n```\n{text.strip()}\n```")


def _licence(one: Distribution) -> str:
    """Its SPDX expression, or what older metadata has instead."""
    stated = one.metadata["License-Expression"] or one.metadata["License"] or ""
    if stated and len(stated) <= LONGEST and "\n" not in stated:
        return stated
    classifiers = one.metadata.get_all("Classifier") or []
    names = [each.rpartition(":: ")[2] for each in classifiers if each.startswith("License ::")]
    return ", ".join(names) or "see below"


def _texts(one: Distribution) -> Iterator[tuple[str, str]]:
    for file in sorted(one.files or (), key=str):
        is_metadata = ".dist-info" in file.parts[0]
        if is_metadata and file.name.upper().startswith(TEXTS):
            yield file.name, Path(str(file.locate())).read_text(errors="replace")


if __name__ == "__main__":
    main(sys.argv[1])
