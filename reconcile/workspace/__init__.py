"""One configuration on one host: the value that planning, applying and checking work on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property, partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from reconcile.config.config_file import ConfigFile
from reconcile.engine.history import Actor
from reconcile.engine.model import ConfigOrigin
from reconcile.engine.protection_record import protected_on, read_owned
from reconcile.engine.scopes import passed_over, scope_conflicts
from reconcile.nginx.running.discover import NginxInstallation, discover
from reconcile.system import Host
from reconcile.workspace.compilation import Compilation
from reconcile.workspace.discovery import complete_facts, discover_facts, has_certificate

if TYPE_CHECKING:
    from reconcile.config.compile import CompiledConfig, ReadableProbes
    from reconcile.config.config import Config
    from reconcile.config.host_facts import HostFacts
    from reconcile.config.outline import ConfigOutline
    from reconcile.engine.ledger import Ledger
    from reconcile.engine.model import Conflict, Declared
    from reconcile.engine.resource import Ref
    from reconcile.filesystem.place_guard import ProtectedFolders
    from reconcile.nginx.render.render_cache import RenderCache
    from reconcile.workspace.desired_state import DesiredState


class Workspace:
    """A configuration, the host that it describes, and what both together mean.

    Every fact of the host is read once, when it is first needed.
    """

    def __init__(self, config: Config | ConfigFile, host: Host, commit: str | None = None) -> None:
        self._source = config
        self.host = host
        self.commit = commit
        """The Git commit that the configuration comes from, if any."""
        self._compilation = Compilation()

    @classmethod
    def open(
        cls,
        file: str,
        commit: str | None = None,
        name: str = "",
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> Workspace:
        """The workspace of a configuration file, which people know as `name`.

        Errors: ConfigErrors for an invalid file, ReconcileError for an unreadable one.
        """
        # A lazy border: what reads a YAML is the half of a plan, which may do without.
        from reconcile.config.load import load

        config = load(file, variables)
        if commit:
            config = config.known_as(name or file, commit)
        return cls(config, Host(config.host_settings()), commit)

    def refreshed(self) -> Workspace:
        """The same workspace with nothing read from the host yet.

        What was compiled is kept for as long as the facts that it was compiled with.
        """
        host = Host(self.host.settings)
        host.scan_progress, host.now_s = self.host.scan_progress, self.host.now_s
        refreshed = Workspace(self.config, host, self.commit)
        refreshed._compilation = self._compilation
        return refreshed

    @cached_property
    def config(self) -> Config:
        """The configuration; of a file, parsed when it is first needed."""
        return self._source.load() if isinstance(self._source, ConfigFile) else self._source

    @cached_property
    def outline(self) -> ConfigOutline:
        """What the configuration asks of the host."""
        return self.config.outline()

    @cached_property
    def ledger(self) -> Ledger:
        """What this configuration owns on the host, beside others. Errors: LedgerUnusable."""
        return read_owned(self.host)

    @cached_property
    def owned(self) -> Ledger:
        """The same with what it owned before it had a scope and still declares."""
        return passed_over(self.ledger, self.desired, self.origin.path)

    @property
    def sites_elsewhere(self) -> frozenset[str]:
        """The sites of other scopes."""
        others = self.ledger.others.values()
        found = {site for one in others for row in one.rows.values() for site in row.sites}
        return frozenset(found) - self.outline.sites

    @property
    def origin(self) -> ConfigOrigin:
        """The file that plans come from."""
        file = self.outline.file
        path = file if self.commit else os.path.abspath(file)
        return ConfigOrigin(file, self.outline.digest, self.commit, path)

    @cached_property
    def protected(self) -> ProtectedFolders:
        """The folders of this host that hold other people's data, by every record of them."""
        return protected_on(self.host, self.ledger.all_rows)

    @cached_property
    def nginx(self) -> NginxInstallation:
        """Its nginx. Errors: ReconcileError, if it is missing."""
        return discover(self.host)

    @cached_property
    def public_facts(self) -> HostFacts:
        """The facts that every user may read. Errors: ReconcileError, if nginx is missing."""
        return discover_facts(self.outline, self.nginx)

    @cached_property
    def facts(self) -> HostFacts:
        """All facts that the configuration is compiled with. Errors: ReconcileError."""
        return complete_facts(self.public_facts, self.outline, self.host, self.ledger)

    @property
    def renderings(self) -> RenderCache:
        """The cache of rendered texts."""
        return self._compilation.renderings(self.host.state)

    @cached_property
    def compiled(self) -> CompiledConfig:
        """The compiled configuration: resources, probes and findings."""
        return self._compilation.compiled(self.config, self.facts, self.host.state)

    @cached_property
    def state(self) -> DesiredState:
        """What a plan needs of it, each resource once."""
        return self._compilation.state(self.config, self.facts, self.host.state)

    @cached_property
    def readable_probes(self) -> ReadableProbes:
        """The probes that this user can know; needs neither the ledger nor the sources."""
        from reconcile.config.compile import ReadableProbes, compile_readable_probes

        if self.host.privileged:
            return ReadableProbes(self.compiled.probes)
        return compile_readable_probes(
            self.config, self.public_facts, partial(has_certificate, self.host)
        )

    @cached_property
    def conflicts(self) -> tuple[Conflict, ...]:
        """What contradicts itself, or what other scopes declare."""
        elsewhere = scope_conflicts(self.desired, self.ledger, self.origin.path)
        return (*self.state.conflicts, *elsewhere)

    @property
    def desired(self) -> dict[Ref, Declared]:
        """Each declared resource once."""
        return self.state.resources

    @property
    def user(self) -> str:
        """The user who typed the command, also under sudo."""
        return os.environ.get("SUDO_USER") or self.host.accounts.current.name

    def actor(self, command: str, saved_plan: str | None = None) -> Actor:
        """Who runs `command`, as the history records it."""
        return Actor(self.user, command, self.commit, saved_plan)
