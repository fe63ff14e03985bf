"""The pages of the site: docs/ and what it links to, with links that hold inside of the site."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

PROJECT = Path(__file__).parents[1]
FOLDERS = ("examples", "schemas")
"""Published beside docs/, because its pages link to them."""
CHANGES = "changes/README.md"
MOST_LINES = 250
"""A longer file of an example is linked, and not shown."""
_SPELLED = {
    "api": "API",
    "fastapi": "FastAPI",
    "spa": "SPA",
    "tls": "TLS",
    "websocket": "WebSocket",
}
_LINK = re.compile(r"(\]\()([^)#:\s]+)((?:#[^)]*)?\))")
_LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".sh": "bash", ".css": "css"}


def stage_pages(docs: Path) -> None:
    """Fill the new folder `docs` with all pages and files that are not generated."""
    shutil.copytree(PROJECT / "docs", docs, ignore=shutil.ignore_patterns("*.pyc"))
    for folder in FOLDERS:
        shutil.copytree(PROJECT / folder, docs / folder, ignore=_ignored)
    _publish_dotfiles(docs / "examples")
    for example in sorted((docs / "examples").iterdir()):
        if example.is_dir():
            _show_files(example)
    _join_changes(docs)
    for page in docs.rglob("*.md"):
        page.write_text(_with_links_of_the_site(page.read_text(), page.relative_to(docs)))


def _ignored(_folder: str, names: list[str]) -> set[str]:
    """A test's folder may have been run here; a cache and a venv are no example."""
    return {"__pycache__", ".venv", ".reconcile"} & {*names}


def _publish_dotfiles(folder: Path) -> None:
    """A generator leaves out names with a dot: `.gitlab-ci.yml` gets one without."""
    for path in [path for path in folder.rglob(".*") if path.is_file()]:
        path.rename(path.with_name(path.name.lstrip(".")))


def _show_files(folder: Path) -> None:
    """Give an example a page that shows each of its files."""
    page = folder / "README.md"
    words = [_SPELLED.get(word, word) for word in folder.name.split("-")]
    title = " ".join([words[0][0].upper() + words[0][1:], *words[1:]])
    about = page.read_text().rstrip() if page.exists() else f"# {title}"
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path != page]
    shown = (_shown(path, folder) for path in files if path.suffix != ".md")
    page.write_text("\n\n".join([about, "## Files", *shown]) + "\n")


def _shown(path: Path, folder: Path) -> str:
    name = path.relative_to(folder).as_posix()
    text = path.read_text()
    if len(text.splitlines()) > MOST_LINES:
        return f"[{name}]({name})"
    return f"[{name}]({name})\n\n````{_LANGUAGES.get(path.suffix, 'text')}\n{text.rstrip()}\n````"


def _join_changes(docs: Path) -> None:
    """One page of all changes, in the order of their names."""
    page = docs / CHANGES
    for fragment in sorted(page.parent.glob("*.md")):
        if fragment != page:
            text = re.sub(r"^#", "##", fragment.read_text(), flags=re.M)
            page.write_text(f"{page.read_text().rstrip()}\n\n{text}")
            fragment.unlink()


def _with_links_of_the_site(text: str, page: Path) -> str:
    """The text with each link to a file of the repository led to where the site has it."""
    source = repository_path(page.as_posix())

    def led(match: re.Match[str]) -> str:
        target = os.path.normpath(PurePosixPath(source).parent / match[2])
        published = site_path(target)
        if published is None:
            raise SystemExit(f"{source} links to {match[2]}, which the site does not have")
        return f"{match[1]}{os.path.relpath(published, page.parent)}{match[3]}"

    return _outside_of_code(text, lambda part: _LINK.sub(led, part))


def _outside_of_code(text: str, change: Callable[[str], str]) -> str:
    parts = re.split(r"(^(`{3,}).*?^\2$|`[^`\n]+`)", text, flags=re.M | re.S)
    # Each match leaves itself, and the fence that it began with.
    kept = (part for at, part in enumerate(parts) if at % 3 != 2)
    return "".join(part if at % 2 else change(part) for at, part in enumerate(kept))


def repository_path(published: str) -> str:
    """Where a page of the site lies in the repository."""
    return published if published.startswith(FOLDERS) else f"docs/{published}"


def site_path(path: str) -> str | None:
    """Where the site has a file or folder of the repository; None where it has none."""
    if path == "README.md":
        return "index.md"
    published = path.removeprefix("docs/")
    if published == path and not path.startswith(FOLDERS):
        return None
    if path.startswith("docs/changes/"):
        return CHANGES
    head, _, name = published.rpartition("/")
    if name.startswith("."):
        return f"{head}/{name.lstrip('.')}"
    if path.startswith("examples/") and (PROJECT / path).is_dir():
        return "/".join([*published.split("/")[:2], "README.md"])
    return "reference/json.md" if path == "schemas" else published
