"""The types that nginx gives files, and those that browsers need."""

from __future__ import annotations

from collections.abc import Mapping

from reconcile.dataclass import dataclass
from reconcile.nginx.model.config_tree import ConfigTree, named
from reconcile.nginx.model.web_types import WEB_TYPES

BUILT_IN_TYPES: Mapping[str, str] = {"html": "text/html", "gif": "image/gif", "jpg": "image/jpeg"}
"""What nginx knows without any `types`."""
TEXT_TYPES = tuple(
    sorted({kind for kind in WEB_TYPES.values() if kind.startswith("text/")} - {"text/html"})
)
"""Texts whose encoding browsers would guess; text/html is always among nginx's charset_types."""
SCRIPT_TYPES = frozenset(
    {"text/javascript", "application/javascript", "application/x-javascript", "text/ecmascript"}
)
_STRICT = frozenset({"text/html", "text/css", "application/wasm", "image/svg+xml"})
"""Types in whose place browsers take no other."""
_UNTYPED = "application/octet-stream"
TypeLines = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class AddedTypes:
    """What a server adds to the `types` of the http block, which its own would replace.

    `include`: the file that has those of the http block, "" where `lines` repeat them.
    """

    include: str = ""
    lines: TypeLines = ()


def is_fit(ending: str, kind: str) -> bool:
    """Whether browsers take a file of that type for what its ending promises."""
    wanted, kind = WEB_TYPES.get(ending.lower()), kind.lower()
    if wanted is None or wanted == kind:
        return True
    if wanted == "text/javascript":
        return kind in SCRIPT_TYPES
    return wanted not in _STRICT and kind != _UNTYPED


def added_types(tree: ConfigTree) -> AddedTypes:
    """The types that the http block lacks, or has in a way that browsers refuse."""
    blocks = [
        block
        for http in named(tree.directives, "http")
        for block in named(tree.children(http), "types")
    ]
    known = {
        ending.lower(): line.name
        for block in blocks
        for line in tree.children(block)
        for ending in line.args
    } or dict(BUILT_IN_TYPES)
    unfit = {ending for ending, kind in known.items() if not is_fit(ending, kind)}
    wanted = {
        ending: kind for ending, kind in WEB_TYPES.items() if ending in unfit or ending not in known
    }
    if not wanted:
        return AddedTypes()
    include = "" if unfit else _sole_file(tree, [block.file for block in blocks])
    return AddedTypes(include, type_lines(wanted if include else known | wanted))


def _sole_file(tree: ConfigTree, files: list[str]) -> str:
    """The one file that has all of them and nothing else; nginx warns of an ending given twice."""
    if len(set(files)) != 1:
        return ""
    only_types = all(item.name == "types" for item in tree.files[files[0]].directives)
    return files[0] if only_types else ""


def type_lines(types: Mapping[str, str]) -> TypeLines:
    """One line for each type, in the order of their first endings."""
    endings: dict[str, list[str]] = {}
    for ending, kind in types.items():
        endings.setdefault(kind, []).append(ending)
    return tuple((kind, tuple(names)) for kind, names in endings.items())
