"""Print docs/CHANGELOG.md with the fragments of docs/changes joined into it.

    changelog.py                          the fragments as "Unreleased"
    changelog.py --release 1.0.0 DATE     as that version; the fragments are removed

A fragment is a file with a heading and a text that says what changes for users. Its name says
which section of Keep a Changelog it belongs to: `NAME.fixed.md`, `NAME.security.md`; without one
it is `added`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
CHANGELOG, FRAGMENTS = DOCS / "CHANGELOG.md", DOCS / "changes"
FIRST_VERSION = re.compile(r"^## ", re.MULTILINE)
SECTIONS = ("added", "changed", "deprecated", "removed", "fixed", "security")
# A fragment lies a folder deeper than the changelog.
DEEPER_LINK = re.compile(r"\]\(\.\./(?!\.\./)")
FURTHER_LINK = re.compile(r"\]\(\.\./\.\./")


def main(arguments: list[str]) -> None:
    """Print the changelog, or write it for a release."""
    if not arguments:
        print(joined("## Unreleased"), end="")
        return
    _, version, date = arguments
    CHANGELOG.write_text(joined(f"## {version} - {date}"))
    for fragment in fragments():
        fragment.unlink()


def joined(heading: str) -> str:
    """The changelog with a section of all fragments above its newest version."""
    text = CHANGELOG.read_text()
    sections = "".join(filter(None, map(section, SECTIONS)))
    if not sections:
        return text
    newest = FIRST_VERSION.search(text)
    at = newest.start() if newest else len(text)
    return f"{text[:at].rstrip()}\n\n{heading}\n{sections}\n{text[at:]}".rstrip() + "\n"


def section(name: str) -> str:
    """The entries of one section under its heading, nothing where there are none."""
    found = [entry(path.read_text()) for path in fragments() if section_of(path) == name]
    return f"\n### {name.capitalize()}\n" + "".join(found) if found else ""


def fragments() -> list[Path]:
    """All fragments, by their names."""
    return sorted(path for path in FRAGMENTS.glob("*.md") if path.name != "README.md")


def section_of(fragment: Path) -> str:
    """The section that its name chooses."""
    _, _, chosen = fragment.stem.rpartition(".")
    return chosen if chosen in SECTIONS else SECTIONS[0]


def entry(fragment: str) -> str:
    """A fragment below the heading of its section, its links from the changelog's folder."""
    text = "\n" + re.sub(r"^#", "####", fragment.strip(), flags=re.MULTILINE)
    text = DEEPER_LINK.sub("](", text)
    return FURTHER_LINK.sub("](../", text) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
