"""The base of all models of the configuration file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.engine.model import Declared

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.context import CompileContext


class ConfigModel(BaseModel):
    """A mapping of the file: every key known, every value of exactly its type, immutable.

    Validators are built once, for the whole file: no command validates a part of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class ConfigEntry(ConfigModel):
    """An entry of one of the file's sections: it checks itself, and compiles to resources."""

    def check(self, loc: Loc, config: Config) -> Iterator[Violation]:  # noqa: ARG002
        """The rules that the entry at `loc` breaks, by itself or together with other entries."""
        return iter(())

    def compile(self, name: str, context: CompileContext) -> Iterator[Declared]:  # noqa: ARG002
        """The resources that the entry called `name` declares."""
        return iter(())
