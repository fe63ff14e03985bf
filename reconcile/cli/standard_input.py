"""A configuration from standard input, and the files that it names from a tar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING

from reconcile.config.config_file import MAX_BYTES, STANDARD_INPUT, ConfigFile, read_file
from reconcile.errors import ReconcileError

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.filesystem.unpack import Unpacked

DASH = "-"

Unpack = Callable[[], "Unpacked"]
_unpack: ContextVar[Unpack | None] = ContextVar("unpack", default=None)


def use_files(
    tar: str | None, until_end: Callable[[AbstractContextManager[Unpacked]], Unpacked]
) -> None:
    """Unpack the archive of --files when it is needed, until the end of the command."""

    _unpack.set(partial(_unpack_until, until_end, tar) if tar is not None else None)


def _unpack_until(
    until_end: Callable[[AbstractContextManager[Unpacked]], Unpacked], tar: str
) -> Unpacked:
    # Brings tarfile, which nothing else needs.
    from reconcile.filesystem.unpack import unpacked

    return until_end(unpacked(tar))


def load_config(path: str, variables: Mapping[str, str]) -> Config:
    """The configuration at `path`, or that on standard input for "-".

    Errors: ConfigErrors, ReconcileError; HostError for an unusable archive.
    """
    return _standard_input(variables) if path == DASH else open_config(path, variables).load()


def open_config(path: str, variables: Mapping[str, str]) -> ConfigFile:
    """The file at `path`, not parsed yet. Errors: ReconcileError."""
    if _unpack.get() is not None:
        raise ReconcileError(
            "--files is only for a YAML from standard input",
            f"{path} names its own files",
            "Add -f -, or leave --files out.",
        )
    return ConfigFile(path, read_file(path), variables)


def _standard_input(variables: Mapping[str, str]) -> Config:
    # The same border as `ConfigFile.load`.
    from reconcile.config.fields.field_type import ParseContext
    from reconcile.config.load import load_bytes

    unpack, data = _unpack.get(), sys.stdin.buffer.read(MAX_BYTES + 1)
    if unpack is None:
        return load_bytes(data, STANDARD_INPUT, variables, ParseContext(sources="none"))
    files = unpack()
    context = ParseContext(folder=files.folder, sources="packed")
    return load_bytes(data, STANDARD_INPUT, variables, context).with_packed_files(files.digest)


def require_file(path: str, purpose: str) -> None:
    """Errors: ReconcileError for standard input, which cannot be read again."""
    if path in (DASH, STANDARD_INPUT):
        raise ReconcileError(
            f"{purpose} needs a configuration file",
            "standard input cannot be read again",
            "Use -f FILE.",
        )
