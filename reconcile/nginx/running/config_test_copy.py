"""`nginx -t` on a copy of the configuration, where no mount namespace is available."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from reconcile.nginx.model.config_tree import ConfigTree, Directive, ParsedFile
from reconcile.nginx.model.output_paths import output_path_of

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
"""Directives whose compiled-in default is an output path → the build option that disables them."""


class _Edit(NamedTuple):
    start: int
    end: int
    text: str


@dataclass
class ConfigCopy:
    """A copy of a configuration tree whose output files are redirected into its folder."""

    folder: str
    tree: ConfigTree
    build_text: str
    _written: int = field(default=0, init=False)

    @property
    def config_path(self) -> str:
        """The path of the copied main configuration file."""
        return self._path_of(self.tree.config_path)

    def with_original_paths(self, error: NginxError | None) -> NginxError | None:
        """Return the error with the original paths."""
        if error is None:
            return None
        for path in self.tree.files:
            copy = self._path_of(path)
            file = path if error.file == copy else error.file
            error = replace(error, message=error.message.replace(copy, path), file=file)
        return error

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
        """The directive with the copy's paths; None where it needs no change."""
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
    """Copy `tree` into a temporary folder; relative paths keep working."""
    with TemporaryDirectory(prefix="reconcile-nginx-") as folder:
        copy = ConfigCopy(folder, tree, nginx.build_text)
        copy.write()
        yield copy


def _quote_word(word: str) -> str:
    # A word from a valid file has lost only its quotes; variables stay variables.
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
