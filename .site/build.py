"""Build the documentation site into a folder: `python .site/build.py FOLDER`.

Stages docs/ with what is generated, runs the commands whose screens are shown, has Zensical build
it strictly, and follows every link of the result. `--blank-screens` runs no command.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).parent))

from links import broken_links
from pages import stage_pages
from reference import reference_pages
from screens import NAMES, take_screens

HERE = Path(__file__).parent


def build(site: Path, draw_screens: Callable[[Path], None]) -> None:
    """Build the site into `site`, which may exist from a build before.

    Errors: SystemExit where a link or anchor leads nowhere, or the command of a screen ends as it
    should not.
    """
    with tempfile.TemporaryDirectory() as staged:
        stage = Path(staged)
        stage_pages(stage / "docs")
        for name, text in reference_pages().items():
            (stage / "docs" / name).parent.mkdir(exist_ok=True)
            (stage / "docs" / name).write_text(text)
        shutil.copytree(HERE / "assets", stage / "docs/assets")
        draw_screens(stage / "docs/screens")
        (stage / "mkdocs.yml").write_text(
            yaml.safe_dump(configuration(stage / "docs"), sort_keys=False)
        )
        _generate(stage)
        if broken := list(broken_links(stage / "site", stage / "docs")):
            raise SystemExit("\n".join(["Links that lead nowhere:", *broken]))
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(stage / "site", site)


def configuration(docs: Path) -> dict[str, Any]:
    """mkdocs.yml with the pages that its patterns name, each once; the last takes what is left."""
    settings: dict[str, Any] = yaml.safe_load((HERE / "mkdocs.yml").read_text())
    named = {entry for entry in _targets(settings["nav"]) if "*" not in entry}
    settings["nav"] = _expanded(settings["nav"], docs, named)
    return settings


def _targets(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    else:
        for inner in entry.values() if isinstance(entry, dict) else entry:
            yield from _targets(inner)


def _expanded(nav: list[Any], docs: Path, named: set[str]) -> list[Any]:
    entries = []
    for entry in nav:
        [(title, target)] = entry.items()
        if isinstance(target, list):
            target = _expanded(target, docs, named)
        elif "*" in target:
            found = (page.relative_to(docs).as_posix() for page in sorted(docs.glob(target)))
            target = [page for page in found if page not in named]
            named.update(target)
        if target:
            entries.append({title: target})
    return entries


def _generate(stage: Path) -> None:
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    done = subprocess.run(
        command, cwd=stage, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stdout)


def _draw_blank_screens(folder: Path) -> None:
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--blank-screens", action="store_true")
    arguments = parser.parse_args()
    build(arguments.folder, _draw_blank_screens if arguments.blank_screens else take_screens)
