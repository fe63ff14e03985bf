"""What a configuration means on its host, compiled again only where the host's facts differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconcile.nginx.render.render_cache import RenderCache
from reconcile.workspace.desired_state import DesiredState, desired_state

if TYPE_CHECKING:
    from reconcile.config.compile import CompiledConfig
    from reconcile.config.config import Config
    from reconcile.config.host_facts import HostFacts
    from reconcile.filesystem.state_dir import StateDir


class Compilation:
    """The last compilation of one configuration.

    An apply reads its host four times, and compiles for facts that have mostly stayed the same:
    compiling is a function of the configuration and these facts alone.
    """

    def __init__(self) -> None:
        self._facts: HostFacts | None = None
        self._compiled: CompiledConfig | None = None
        self._state: DesiredState | None = None
        self._renderings: RenderCache | None = None

    def renderings(self, state: StateDir) -> RenderCache:
        """The cache of rendered texts, of all that was compiled."""
        self._renderings = self._renderings or RenderCache.read(state)
        return self._renderings

    def compiled(self, config: Config, facts: HostFacts, state: StateDir) -> CompiledConfig:
        """Resources, probes and findings. Errors: ReconcileError."""
        if self._compiled is None or facts != self._facts:
            # A lazy border, as in `Workspace.open`.
            from reconcile.config.compile import compile_config

            self._compiled = compile_config(config, facts, self.renderings(state))
            self._facts, self._state = facts, None
        return self._compiled

    def state(self, config: Config, facts: HostFacts, state: StateDir) -> DesiredState:
        """What a plan needs of it, each resource once. Errors: ReconcileError."""
        compiled = self.compiled(config, facts, state)
        self._state = self._state or desired_state(config, compiled)
        return self._state
