"""A workspace for who only plans: with what the last apply compiled, as long as that holds."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from reconcile.system import Host
from reconcile.workspace import Workspace
from reconcile.workspace.kept_state import KeptState, read_kept

if TYPE_CHECKING:
    from reconcile.config.config_file import ConfigFile
    from reconcile.config.outline import ConfigOutline
    from reconcile.workspace.desired_state import DesiredState


class KeptWorkspace(Workspace):
    """The workspace of a file that is parsed only where something differs."""

    def __init__(self, file: ConfigFile, kept: KeptState) -> None:
        super().__init__(file, Host(kept.outline.settings))
        self._kept: KeptState | None = kept
        self._outline = kept.outline
        self.is_compiled = False
        """Whether the facts of the host had changed, so that the file was compiled after all."""

    @cached_property
    def outline(self) -> ConfigOutline:
        """What the configuration asks of the host."""
        return self._outline

    @cached_property
    def state(self) -> DesiredState:
        """What a plan needs of the compiled configuration."""
        facts = self.facts
        # Of a thousand sites it is 30 MB, which nothing needs any more.
        kept, self._kept = self._kept, None
        desired = kept and kept.on(facts)
        self.is_compiled = desired is None
        return desired or super().state


def open_kept(file: ConfigFile) -> KeptWorkspace | None:
    """The workspace of a file that an apply has kept; None where that has to be compiled."""
    kept = read_kept(file)
    return None if kept is None else KeptWorkspace(file, kept)


def open_to_plan(file: ConfigFile) -> Workspace:
    """The workspace of a file, for who changes nothing. Errors: those of `ConfigFile.load`."""
    workspace = open_kept(file)
    if workspace is not None:
        return workspace
    config = file.load()
    return Workspace(config, Host(config.host_settings()))
