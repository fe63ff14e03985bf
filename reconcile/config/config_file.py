"""A configuration file as it was read: what it holds decides everything, before it is parsed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from reconcile.dataclass import dataclass
from reconcile.errors import ReconcileError
from reconcile.filesystem.user_files import read_given

if TYPE_CHECKING:
    from reconcile.config.config import Config

MAX_BYTES = 1024 * 1024
STANDARD_INPUT = "<stdin>"
"""What the errors and the plan call a file that came from there."""
CREATE = "Name the file with -f, or create one with `reconcile init`. Nothing was changed."


@dataclass(frozen=True)
class ConfigFile:
    """The bytes of the file at `path`, and the variables of the command line as text."""

    path: str
    data: bytes
    variables: Mapping[str, str] = field(default_factory=dict)

    def load(self) -> Config:
        """The configuration. Errors: those of `load_bytes`."""
        # A lazy border: pydantic and YAML are the half of a plan, which may do without.
        from reconcile.config.load import load_bytes

        return load_bytes(self.data, self.path, self.variables)


def read_file(path: str, fix: str = CREATE) -> bytes:
    """At most one byte more than a file may have. Errors: ReconcileError."""
    try:
        return read_given(path, MAX_BYTES)
    except OSError as error:
        raise ReconcileError(
            what=f"cannot read {path}",
            why=error.strerror or str(error),
            fix=fix,
        ) from None
