"""The next safest test where no namespace is to be had: nginx on a copy of its configuration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from reconcile.nginx.model.output_paths import output_path_of
from reconcile.nginx.model.tree import ConfigTree, Directive, ParsedFile

if TYPE_CHECKING:
    from reconcile.nginx.running.config_test import NginxError
    from reconcile.nginx.running.discover import NginxInstallation

_MAIN_DEFAULTS = ("pid", "error_log")
_HTTP_DEFAULTS = {
    "access_log": "",
    "client_body_temp_path": "",
    "proxy_temp_path": "--without-http_proxy_module",
    "fastcgi_temp_path": "--without-http_fastcgi_module",
    "uwsgi_temp_path": "--without-http_uwsgi_module",
    "scgi_temp_path": "--without-http_scgi_module",
}
"""Directives whose compiled default would be written to → the option that leaves them out."""


class _Edit(NamedTuple):
    start: int
    end: int
    text: str


@dataclass
class ConfigCopy:
    """A configuration tree in a folder of its own, where all that nginx writes is too."""

    folder: str
    tree: ConfigTree
    build_text: str
    _written: int = field(default=0, init=False)

    @property
    def config_path(self) -> str:
        return self._path_of(self.tree.config_path)

    def with_original_paths(self, refusal: NginxError | None) -> NginxError | None:
        """The refusal with the names that the user knows."""
        if refusal is None:
            return None
        for path in self.tree.files:
            copy = self._path_of(path)
            file = path if refusal.file == copy else refusal.file
            refusal = replace(refusal, message=refusal.message.replace(copy, path), file=file)
        return refusal

    def write(self) -> None:
        """Write every file, its includes leading to the copies, and links for relative names."""
        for entry in Path(self.tree.config_path).parent.iterdir():
            (Path(self.folder) / entry.name).symlink_to(entry)
        for path, file in self.tree.files.items():
            Path(self._path_of(path)).write_bytes(self._rewritten(file))

    def _path_of(self, path: str) -> str:
        return f"{self.folder}/.{self._numbers[path]}.conf"

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {path: number for number, path in enumerate(self.tree.files)}

    def _new_output_path(self) -> str:
        self._written += 1
        return f"{self.folder}/.written-{self._written}"

    def _rewritten(self, file: ParsedFile) -> bytes:
        pieces, position = [], 0
        for edit in sorted(self._edits(file.directives)):
            pieces += [file.data[position : edit.start], edit.text.encode()]
            position = edit.end
        pieces.append(file.data[position:])
        if file.path == self.tree.config_path:
            pieces.append(b"\n" + self._defaults(_MAIN_DEFAULTS, self.tree.directives).encode())
        return b"".join(pieces)

    def _edits(self, directives: Iterable[Directive]) -> Iterator[_Edit]:
        for directive in directives:
            if directive.name == "http" and directive.block is not None:
                yield self._http_defaults(directive, directive.block)
            if directive.block is not None:
                yield from self._edits(directive.block)
            elif (text := self._redirected(directive)) is not None:
                lines = self.tree.files[directive.file].data.count(b"\n", *directive[4:6])
                yield _Edit(directive.start, directive.end, text + "\n" * lines)

    def _redirected(self, directive: Directive) -> str | None:
        """The directive with the copy's paths in it; None where it stays as it is."""
        if directive.name == "include":
            paths = self.tree.includes[directive.args[0]].paths
            return " ".join(f"include {self._path_of(path)};" for path in paths)
        if output_path_of(directive) is None:
            return None
        scheme = "unix:" if directive.name == "listen" else ""
        rest = "".join(f" {_quote_word(word)}" for word in directive.args[1:])
        return f"{directive.name} {scheme}{self._new_output_path()}{rest};"

    def _http_defaults(self, http: Directive, block: tuple[Directive, ...]) -> _Edit:
        names = [name for name, option in _HTTP_DEFAULTS.items() if not self._left_out(option)]
        at = block[0].start if block else http.end - 1
        return _Edit(at, at, self._defaults(names, self.tree.children(http)))

    def _left_out(self, option: str) -> bool:
        return bool(option) and option in self.build_text

    def _defaults(self, names: Iterable[str], present: Iterable[Directive]) -> str:
        written = {directive.name for directive in present}
        return " ".join(
            f"{name} {self._new_output_path()}; " for name in names if name not in written
        )


@contextmanager
def copied_tree(nginx: NginxInstallation, tree: ConfigTree) -> Iterator[ConfigCopy]:
    """`tree` in a temporary folder; paths relative to the configuration hold there too."""
    with TemporaryDirectory(prefix="reconcile-nginx-") as folder:
        copy = ConfigCopy(folder, tree, nginx.build_text)
        copy.write()
        yield copy


def _quote_word(word: str) -> str:
    # A word read from a valid file: only its quotes were taken off, variables stay variables.
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
