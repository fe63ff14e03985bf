"""Large texts of adopted files, kept in files beside the YAML that `source` names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import basename, join

from reconcile.adopt.draft import Draft
from reconcile.output.adoption import TextFile

LARGEST_IN_YAML = 8 << 10
"""Bytes of a text that a person still reads within the YAML."""
_READABLE_BY_ALL = 0o004


def move_large_texts(draft: Draft, yaml: str) -> Iterator[TextFile]:
    """Replace each large `content` by a `source` beside the YAML; yield those files."""
    folder = f"{basename(yaml).rsplit('.', 1)[0]}.files"
    for number, (path, entry) in enumerate(draft.values.get("paths", {}).items()):
        text = entry.get("content", "")
        if len(text.encode()) > LARGEST_IN_YAML:
            name = re.sub(r"[^A-Za-z0-9._-]+", "-", path).strip("-.")
            source = join(folder, f"{number}-{name}"[:200])
            del entry["content"]
            entry["source"] = source
            yield TextFile(source, text.encode(), is_secret=_is_secret(entry["owner"]))


def _is_secret(owner: str | dict[str, str]) -> bool:
    return isinstance(owner, dict) and not int(owner["files"], 8) & _READABLE_BY_ALL
