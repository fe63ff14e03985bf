"""What a host is given: plain YAML with its variables, and the files that it names as one tar."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import yaml as pyyaml

from reconcile.config import yaml
from reconcile.config.config import Config
from reconcile.config.config_file import read_file
from reconcile.config.diagnostics import ConfigErrors, Diagnostic, suggest
from reconcile.config.document import Loc, Mark, YamlNode
from reconcile.config.fields.field_type import ParseContext, UnpackedSource, describe, quote_text
from reconcile.config.load import load_bytes, validate
from reconcile.config.site.app_release import excluded_of
from reconcile.config.variables import SECTION, put_in
from reconcile.dataclass import dataclass
from reconcile.filesystem.pack import pack
from reconcile.gitops.readings import readings_path
from reconcile.system import Host

Value = str | int | bool
OUTSIDE = "outside"
"""The folder of the archive for sources that are not in the folder of the YAML."""


class ScalarEdit(NamedTuple):
    """A scalar of the YAML, by its indexes in the text, and what takes its place."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Package:
    """The YAML and the archive of one host; `digest` is that of the configuration there."""

    yaml: bytes
    tar: str | None
    digest: str
    readings: str
    """Where the host's own runs leave their readings."""


class Packer:
    """Packs hosts one after the other; those with the same sources share an archive in `folder`."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._packed: dict[tuple[object, ...], tuple[str, str]] = {}
        self._read: dict[str, bytes] = {}

    def pack(self, path: str, variables: Mapping[str, Value]) -> Package:
        """The configuration at `path` with these values of its variables.

        Errors: ConfigErrors, ReconcileError; HostError for a source that cannot be read.
        """
        if path not in self._read:
            self._read[path] = read_file(path)
        text, sources = plain_yaml(self._read[path], path, variables)
        data = text.encode()
        if not sources:
            config = load_bytes(data, path, context=ParseContext(sources="none"))
            return Package(data, None, config.digest, _readings(config))
        config = load_bytes(data, path, context=ParseContext("/", "packed"))
        tar, digest = self._archive(sources, _releases(config))
        return Package(data, tar, config.with_packed_files(digest).digest, _readings(config))

    def _archive(
        self, sources: Mapping[str, str], releases: Mapping[str, tuple[str, ...]]
    ) -> tuple[str, str]:
        key = (tuple(sorted(sources.items())), tuple(sorted(releases.items())))
        if key not in self._packed:
            path = posixpath.join(self._folder, f"{len(self._packed)}.tar")
            with open(path, "xb") as file:
                self._packed[key] = (path, pack(sources, file, releases))
        return self._packed[key]


def _releases(config: Config) -> dict[str, tuple[str, ...]]:
    """The names of packed sources that become a release, and what of each is excluded."""
    return {
        site.app.release.source.removeprefix("/") or ".": excluded_of(site)
        for site in config.sites.values()
        if site.app is not None and site.app.release is not None
    }


def _readings(config: Config) -> str:
    return readings_path(Host(config.host.settings()))


def plain_yaml(
    data: bytes, file: str, variables: Mapping[str, Value]
) -> tuple[str, dict[str, str]]:
    """The YAML with its variables and the names of its packed sources; name → path of each.

    Errors: ConfigErrors for a variable that it does not declare as a value of that type.
    """
    root, _ = yaml.read(data, file)
    text = data.decode().removeprefix("\ufeff")
    spans = dict(_spans(text))
    edits = [*_variable_edits(root, file, variables, spans)]
    given = {name: _as_option(value) for name, value in variables.items()}
    folder = posixpath.dirname(posixpath.abspath(file))
    sources: dict[str, str] = {}
    for loc, value in _named_sources(put_in(root, given, file)[0], folder):
        path = posixpath.normpath(posixpath.join(folder, value))
        name = _packed_name(path, folder)
        sources[name] = path
        if name != posixpath.normpath(value):
            node = root.deepest(loc)
            edits.append(
                ScalarEdit(*spans[node.mark], json.dumps(_renamed(node.value, name, folder)))
            )
    return _edited(text, edits), sources


def _renamed(written: str, name: str, folder: str) -> str:
    """The name in the archive, with the variables of the written one: none may be unused."""
    renamed = _packed_name(posixpath.normpath(posixpath.join(folder, written)), folder)
    pattern = re.sub(r"\\\$\\{var\\\..*?\\}", ".*", re.escape(renamed))
    return renamed if re.fullmatch(pattern, name) else name


def _named_sources(root: YamlNode, folder: str) -> Iterator[tuple[Loc, str]]:
    """Where the document names a source, and which: what it may not without an archive."""
    _, errors = validate(Config, root, ParseContext(folder, "none"))
    for error in errors:
        if isinstance(error.get("ctx", {}).get("error"), UnpackedSource):
            loc = root.existing(error["loc"])
            yield loc, str(root.deepest(loc).value)


def _packed_name(path: str, folder: str) -> str:
    relative = posixpath.relpath(path, folder)
    return relative if relative.split("/", 1)[0] != ".." else f"{OUTSIDE}{path}"


def _variable_edits(
    root: YamlNode, file: str, variables: Mapping[str, Value], spans: Mapping[Mark, tuple[int, int]]
) -> Iterator[ScalarEdit]:
    section = root.child(SECTION)
    declared = section.value if section and isinstance(section.value, dict) else {}
    for name, value in variables.items():
        node = declared.get(name)
        if node is None or type(node.value) is not type(value):
            mark = node.mark if node else (section or root).mark
            message, hint = _explain(name, value, node, [*declared])
            found = Diagnostic(file, mark.line, mark.column, message, hint)
            raise ConfigErrors(file, [found])
        yield ScalarEdit(*spans[node.mark], json.dumps(value))


def _explain(name: str, value: Value, node: YamlNode | None, known: list[str]) -> tuple[str, str]:
    if node is None:
        what = f"the fleet sets a variable {quote_text(name)} that is not declared here"
        return what, suggest(name, known) or f"add it to `{SECTION}`"
    what = f"the fleet gives {name} as {describe(value)}, which has another type than"
    return f"{what} {describe(node.value)}", "give a value of the same type"


def _as_option(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _spans(text: str) -> Iterator[tuple[Mark, tuple[int, int]]]:
    """The position of each scalar, and its first and last index in the text."""
    for event in pyyaml.parse(text, Loader=pyyaml.SafeLoader):
        start, end = event.start_mark, event.end_mark
        if isinstance(event, pyyaml.ScalarEvent) and start and end:
            yield Mark(start.line + 1, start.column + 1), (start.index, end.index)


def _edited(text: str, edits: list[ScalarEdit]) -> str:
    for start, end, new in sorted(edits, reverse=True):
        # A block ends behind its last line.
        ending = "\n" if text[start:end].endswith("\n") else ""
        text = text[:start] + new + ending + text[end:]
    return text
